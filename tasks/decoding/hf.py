"""Constrained decoding with transformers: a logits processor on llguidance, one grammar per row of the batch.

generate(..., logits_processor=[AnswerProcessor(tokenizer, constraints, max_new_tokens)])
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from ita_med.errors import ItaMedError
from ita_med.tasks.decoding import grammar
from ita_med.tasks.decoding.grammar import Constraint

if TYPE_CHECKING:
    import torch

log = logging.getLogger("ita_med")
RESERVE = 64
"""Tokens that a started answer may need to its end, beside those of an empty answer: a long key, an option, a row."""
FEW_ROWS = 8
"""Up to so many masks (0.05 ms each) are made in less time than it takes to wake other threads."""
_prepared: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
_executor: list[Any] = []


class AnswerProcessor:
    """Lets each row of a batch generate only what its constraint allows, and then end. Scores are changed in place.

    One processor serves one call of `generate`: its first call sees the prompts. Beams and several samples per prompt
    are not supported.

    Args:
        tokenizer: of transformers, a fast one.
        constraints: one per row; None leaves a row free.
        max_new_tokens: of that call. A row that comes close to it is led to the end of its answer (open strings and
            lists are closed, nothing new is begun), so that a model that loops still writes an answer that parses.

    Raises:
        ItaMedError: beams, several samples, or a second call of `generate`.
    """

    def __init__(self, tokenizer: Any, constraints: list[Constraint | None], max_new_tokens: int | None = None) -> None:
        self.tokenizer = prepare(tokenizer)
        self.max_new_tokens = max_new_tokens
        roots: dict[int, AnswerState] = {}
        for one in constraints:
            if one is not None and id(one) not in roots:
                roots[id(one)] = AnswerState(self.tokenizer, one)
        self.rows = [None if one is None else roots[id(one)].copy() for one in constraints]
        self.bits = np.full((len(constraints), (self.tokenizer.vocab_size + 31) // 32), -1, dtype=np.int32)
        self.prompt, self.width = 0, 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if len(input_ids) != len(self.rows):
            raise ItaMedError(
                f"{len(input_ids)} sequences for {len(self.rows)} answers: constrained decoding knows no beams and one "
                "sample per prompt (num_beams=1, num_return_sequences=1)"
            )
        if not self.width:
            self.prompt = input_ids.shape[1]
        elif input_ids.shape[1] != self.width + 1:
            raise ItaMedError("a new call of generate needs a new AnswerProcessor")
        else:
            for row, token in zip(self.rows, input_ids[:, -1].tolist(), strict=True):
                if row and not row.ended:
                    row.take(token)
        self.width = input_ids.shape[1]
        self._fill(scores)
        import torch

        free = scores.new_tensor([row is None for row in self.rows], dtype=torch.bool)
        return _mask(scores, self.bits, free[:, None])

    def _fill(self, scores: torch.Tensor) -> None:
        """Set the bits of the tokens that each row may go on with."""
        from llguidance import numpy as masks

        running = [(row.matcher, i) for i, row in enumerate(self.rows) if row and not row.ended]
        if len(running) > FEW_ROWS:
            masks.fill_next_token_bitmask_par(executor(), running, self.bits)
        else:
            for matcher, i in running:
                masks.fill_next_token_bitmask(matcher, self.bits, i)
        most = self.max_new_tokens or sys.maxsize
        left = most - (self.width - self.prompt)
        for i, row in enumerate(self.rows):
            if row and row.ended:
                self._only(i, self.tokenizer.eos_token)
            elif row and left <= min(row.reserve, most // 2):
                self._only(i, row.closing(self._best(i, scores[i])))

    def _only(self, row: int, token: int) -> None:
        self.bits[row] = 0
        self.bits[row, token // 32] = np.uint32(1 << token % 32).astype(np.int32)

    def _best(self, row: int, scores: torch.Tensor) -> list[int]:
        """The allowed tokens that the model likes best, in its order."""
        import torch

        none = scores.new_zeros(1, 1, dtype=torch.bool)
        liked = _mask(scores[None].clone(), self.bits[row : row + 1], none)[0].topk(RESERVE)
        return [int(token) for token, score in zip(liked.indices, liked.values, strict=True) if score > float("-inf")]


def completed(tokenizer: Any, constraint: Constraint, text: str, max_new_tokens: int) -> str:
    """An answer that a constrained backend without an AnswerProcessor wrote; if it was cut off at `max_new_tokens`, it
    is led to its end as AnswerProcessor would have done, except that no model chooses where the way leaves a choice.

    A text that the constraint does not allow (the backend did not keep to it) stays as it is.
    """
    row = AnswerState(prepare(tokenizer), constraint)
    tokens = tokenizer.encode(text, add_special_tokens=False)
    most = max_new_tokens - min(row.reserve, max_new_tokens // 2)
    whole = row.copy()
    for token in tokens:
        if not whole.matcher.consume_token(token):
            return text
    if whole.matcher.is_accepting():
        return text
    for token in tokens[:most]:
        row.take(token)
    row.close()
    return str(row.tokenizer.decode_bytes(row.tokens).decode("utf-8", "replace"))


class AnswerState:
    """One answer on its way: the matcher's state and the tokens so far."""

    def __init__(self, tokenizer: Any, constraint: Constraint) -> None:
        from llguidance import LLMatcher

        text = constraint if isinstance(constraint, str) else grammar.of_schema(constraint)
        self.tokenizer = tokenizer
        self.matcher = LLMatcher(tokenizer, text, log_level=0)
        if self.matcher.is_error():
            raise ItaMedError(f"llguidance does not take the grammar of an answer: {self.matcher.get_error()}")
        self.tokens: list[int] = []
        self.ended = False
        self.reserve = 0
        self.reserve = self._shortest() + RESERVE

    def copy(self) -> AnswerState:
        """The same state, to go on apart from this one."""
        other = object.__new__(AnswerState)
        other.__dict__ = self.__dict__ | {"matcher": self.matcher.deep_copy(), "tokens": list(self.tokens)}
        return other

    def take(self, token: int) -> None:
        """Add a token; one that the constraint does not allow ends the answer."""
        if token in self.tokenizer.eos_tokens and self.matcher.is_accepting():
            self.ended = True
        elif self.matcher.consume_token(token):
            self.tokens.append(token)
        else:
            log.warning("an answer was cut off: %s", self.matcher.get_error())
            self.ended = True

    def closing(self, liked: list[int]) -> int:
        """The next token on a short way to the end of the answer; of `liked` tokens where the way leaves a choice."""
        if self.matcher.is_accepting():
            return int(self.tokenizer.eos_token)
        forced = self.matcher.compute_ff_tokens()
        if forced:
            return int(forced[0])
        for token in self._marks('"' if self._in_string() else ']}[{,"'):
            if self.matcher.validate_tokens([token]):
                return token
        unquoted = (token for token in liked if b'"' not in self.tokenizer.decode_bytes([token]))
        return next(unquoted, liked[0])

    def _marks(self, marks: str) -> list[int]:
        return [self.tokenizer.tokenize_str(mark)[0] for mark in marks]

    def _in_string(self) -> bool:
        inside, escaped = False, False
        for byte in self.tokenizer.decode_bytes(self.tokens):
            if escaped:
                escaped = False
            elif byte == 0x5C:  # a backslash
                escaped = inside
            elif byte == 0x22:  # a quotation mark
                inside = not inside
        return inside

    def close(self) -> None:
        """Take the tokens of a short way to the end of the answer."""
        while not (self.matcher.is_accepting() or self.ended):
            bits = np.frombuffer(self.matcher.compute_bitmask(), dtype=np.uint8)
            self.take(self.closing([int(np.unpackbits(bits, bitorder="little").argmax())]))

    def _shortest(self) -> int:
        """Tokens of the answer that `close` writes from the start."""
        row = self.copy()
        row.close()
        return len(row.tokens)


def prepare(tokenizer: Any) -> Any:
    """llguidance's view of a tokenizer of transformers; made once (seconds for 150,000 tokens) and kept."""
    if tokenizer not in _prepared:
        try:
            from llguidance.hf import from_tokenizer
        except ImportError as error:
            raise ItaMedError(f"constrained decoding needs llguidance ({error}): pip install 'ita-med[hf]'") from error
        if not getattr(tokenizer, "is_fast", False):
            raise ItaMedError(f"constrained decoding needs a fast tokenizer, not {type(tokenizer).__name__}")
        _prepared[tokenizer] = from_tokenizer(tokenizer)
    return _prepared[tokenizer]


def executor() -> Any:
    """llguidance's threads; one pool per process."""
    if not _executor:
        from llguidance import LLExecutor

        _executor.append(LLExecutor())
    return _executor[0]


def _mask(scores: torch.Tensor, bits: np.ndarray[Any, Any], beyond: torch.Tensor) -> torch.Tensor:
    """The same scores, with −∞ where the row's bit is not set; `beyond`: whether scores of no token of the tokenizer
    stay (rows, 1).

    In place: new scores for 150,000 tokens at every step cost more than the masks do. On a CPU numpy does it, which
    unpacks bits 40 times faster than torch; a GPU gets them packed.
    """
    import torch

    packed = ~bits.view(np.uint8)
    known = min(8 * packed.shape[1], scores.shape[1])
    if scores.device.type == "cpu":
        forbidden = np.unpackbits(packed, axis=1, count=known, bitorder="little").view(bool)
        if scores.dtype in (torch.float32, torch.float64):
            for row, never in zip(scores.detach().numpy(), forbidden, strict=True):
                np.putmask(row[:known], never, -np.inf)
        else:
            scores[:, :known].masked_fill_(torch.from_numpy(forbidden), float("-inf"))
    else:
        shifts = torch.arange(8, dtype=torch.uint8, device=scores.device)
        unpacked = (torch.from_numpy(packed).to(scores.device)[:, :, None] >> shifts) & 1
        scores[:, :known].masked_fill_(unpacked.flatten(1)[:, :known].bool(), float("-inf"))
    if scores.shape[1] > known:
        scores[:, known:].masked_fill_(~beyond, float("-inf"))
    return scores
