"""From characters to tokens and back: the units that are labelled, and the windows that an encoder reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ita_med.errors import ItaMedError

Ints = NDArray[np.int32]
Inputs = dict[str, Ints]
"""input_ids and, where the encoder knows two texts apart, token_type_ids: (tokens,)."""
Place = tuple[int, int]
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Window:
    """One sequence as the encoder reads it.

    places: characters [start, end) of the text under each token, without white space, shape (tokens, 2); (-1, -1) for
    special tokens and for the other text of a pair.
    """

    inputs: Inputs
    places: Ints


def units(tokenizer: Any, text: str) -> list[Place]:
    """The smallest pieces of a text that can be labelled: words and marks of punctuation, each beginning a new token.

    What the tokenizer joins in one token is one unit; characters that it drops are in none.
    """
    word = np.full(len(text) + 1, -1)
    for n, match in enumerate(_WORD.finditer(text)):
        word[match.start() : match.end()] = n
    found: list[Place] = []
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    for start, end in _trimmed(text, encoded["offset_mapping"]):
        if start >= end:
            continue
        last = found[-1][1] if found else 0
        if found and (start < last or word[start] == word[last - 1]):
            found[-1] = (found[-1][0], max(end, last))
        else:
            found.append((start, end))
    return found


def windows(
    tokenizer: Any, text: str, other: str | None = None, *, other_first: bool = True, max_length: int, overlap: int
) -> list[Window]:
    """The sequences that hold a text, each of at most max_length tokens, with `overlap` tokens in common.

    other: a second text that every window repeats whole, before or after its part of the text.
    """
    options: dict[str, Any] = {"truncation": True}
    given: tuple[str, ...] = (text,)
    length = 0
    if other is not None:
        given = (other, text) if other_first else (text, other)
        options["truncation"] = "only_second" if other_first else "only_first"
        length = len(tokenizer(other, add_special_tokens=False, verbose=False)["input_ids"])
    room = max_length - length - tokenizer.num_special_tokens_to_add(other is not None)
    if room < 1:
        raise ItaMedError(f"data.max_length={max_length} leaves no room for a text")
    encoded = tokenizer(
        *given, **options, max_length=max_length, stride=min(overlap, room // 2), return_overflowing_tokens=True,
        return_offsets_mapping=True, verbose=False,
    )  # fmt: skip
    side = int(other is not None and other_first)
    found = []
    for n, ids in enumerate(encoded["input_ids"]):
        inputs = {"input_ids": np.array(ids, np.int32)}
        if "token_type_ids" in encoded:
            inputs["token_type_ids"] = np.array(encoded["token_type_ids"][n], np.int32)
        own = np.array([sequence == side for sequence in encoded.encodings[n].sequence_ids], bool)
        places = np.array(_trimmed(text, encoded["offset_mapping"][n], own), np.int32).reshape(-1, 2)
        places[~own] = -1
        found.append(Window(inputs, places))
    return found


def _trimmed(text: str, offsets: list[Place], own: NDArray[np.bool_] | None = None) -> list[Place]:
    """Without the white space that some tokenizers count to a token."""
    found = []
    for n, (start, end) in enumerate(offsets):
        if own is None or own[n]:
            while start < end and text[start].isspace():
                start += 1
            while start < end and text[end - 1].isspace():
                end -= 1
        found.append((start, end))
    return found


def shortened(tokenizer: Any, text: str, tokens: int) -> tuple[str, bool]:
    """A text of at most that many tokens, and whether it had to be cut."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    if len(offsets) <= tokens:
        return text, False
    return text[: offsets[tokens - 1][1]], True
