"""Generation with a transformers model: the answers of lm-eval's `hf` model, sooner.

Three things are done that lm-eval's loop does not do. All prompts of a task begin alike (instruction and shots): their
keys and values are computed once, and every document starts from them. A document whose answer has ended leaves the
batch, in whose place the next one comes, so that one long answer does not keep fifteen finished ones waiting. And the
keys and values of a new token are written into free columns, where transformers would copy those of all tokens.

Loading the model is lm-eval's own and every step of generation transformers' own, a few tokens at a time; a batch is
laid out as lm-eval's (padded on the left), so that the answers are those of `HFLM.generate_until`.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ita_med.errors import ItaMedError
from ita_med.tasks.evaluation.prompt_requests import Request

if TYPE_CHECKING:
    import torch
    from lm_eval.models.huggingface import HFLM

log = logging.getLogger("ita_med")
SEGMENT = 8
"""Tokens between two looks at which answers have ended."""
GROUP = 4
"""Batches whose documents may replace each other. Groups are fixed, so that a resumed run repeats the same sums."""
SHORTEST_PREFIX = 16
"""Tokens; a shorter common beginning is not worth a cache."""
Processors = Callable[[Request], list[Any]]
"""A request -> transformers LogitsProcessors for its answer (constrained decoding): they see its row alone, without
padding, one token longer at every call."""
KeysValues = list[tuple["torch.Tensor", "torch.Tensor"]]
"""Per layer, (rows, heads, columns, size)."""


@dataclass(frozen=True)
class RequestGroup:
    """Requests of one task that are generated together.

    Attributes:
        rows: each with the tokens of its prompt, longest first.
        prefix: the tokens that all prompts of the task begin with.
    """

    rows: list[tuple[Request, list[int]]]
    prefix: list[int]

    @property
    def requests(self) -> list[Request]:
        return [request for request, _ in self.rows]


@dataclass
class Batch:
    """Answers being written.

    Attributes:
        rows: the number of each row's request in its group.
        ids, mask: tokens so far and which of them count, both (rows, columns), padded on the left.
        cache: keys and values of the leading columns.
        made: tokens that each row has generated so far.
        processors: those of each row.
    """

    rows: list[int]
    ids: torch.Tensor
    mask: torch.Tensor
    cache: KeysValues
    made: list[int]
    processors: list[list[Any]]


def supports(lm: Any) -> bool:
    """Whether this model can be run here: a decoder whose layers keep the keys and values of all positions."""
    backend = sys.modules.get("lm_eval.models.huggingface")  # whoever has a model of type hf has imported it
    if backend is None or type(lm) is not backend.HFLM:
        return False
    if lm.backend != "causal" or lm.think_end_token is not None or lm.tokenizer is None:
        return False
    cache = _keys_values(lm, [lm.prefix_token_id] * 2)
    if cache and all(keys.ndim == 4 and keys.shape[2] == 2 for keys, _ in cache):
        return True
    log.warning("the model keeps more than keys and values of all positions: lm-eval's own loop answers, more slowly")
    return False


def tokenise(lm: HFLM, prompts: list[str]) -> list[list[int]]:
    """Tokens as `HFLM.tok_batch_encode` makes them."""
    from lm_eval.models.utils import has_bos_prefix

    options: dict[str, Any] = {}
    if has_bos_prefix(prompts[0], getattr(lm.tokenizer, "bos_token", None)):
        options = {"add_special_tokens": False}
    elif lm.add_bos_token is not None:
        options = {"add_special_tokens": lm.add_bos_token}
    tokens: list[list[int]] = lm.tokenizer(prompts, **options)["input_ids"]
    return tokens


def groups(requests: Sequence[Request], tokens: Sequence[list[int]], size: int) -> list[RequestGroup]:
    """The requests of one task, longest prompt first, in groups for batches of `size`."""
    rows = sorted(zip(requests, tokens, strict=True), key=lambda row: (-len(row[1]), row[0].prompt))
    prefix = common_prefix([tokens for _, tokens in rows])
    return [RequestGroup(rows[i : i + GROUP * size], prefix) for i in range(0, len(rows), GROUP * size)]


def common_prefix(sequences: list[list[int]]) -> list[int]:
    """What all sequences begin with, one token short of the shortest; empty if too short to be worth a cache."""
    low, high = min(sequences), max(sequences)
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    length = min(length, min(map(len, sequences)) - 1)
    return low[:length] if length >= SHORTEST_PREFIX else []


class Engine:
    """Generates with one model; keeps the keys and values of the last prefix."""

    def __init__(self, lm: HFLM, size: int, processors: Processors | None = None) -> None:
        self.lm = lm
        self.size = size
        self.processors = processors
        self.prefix: list[int] = []
        self.cache: KeysValues = []

    def generate(self, group: RequestGroup) -> list[str]:
        """The texts of a group's requests, in its order; batches that the memory cannot hold are halved."""
        import torch

        if group.prefix != self.prefix:
            self.prefix, self.cache = group.prefix, _keys_values(self.lm, group.prefix) if group.prefix else []
        while True:
            try:
                return self._generate(group)
            except torch.OutOfMemoryError:
                if self.size == 1:
                    raise ItaMedError(
                        f"{group.requests[0].task}: a document does not fit the memory of {self.lm.device}"
                    ) from None
            self.size //= 2
            torch.cuda.empty_cache()
            log.warning("a batch does not fit the memory of %s: batches of %d from here", self.lm.device, self.size)

    def _generate(self, group: RequestGroup) -> list[str]:
        from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text

        lm = self.lm
        kwargs: dict[str, Any] = dict(normalize_gen_kwargs(dict(group.rows[0][0].kwargs), lm.max_gen_toks))
        eos = lm.tok_decode(lm.eot_token_id, skip_special_tokens=False)
        stop = [text for text in handle_stop_sequences(kwargs.pop("until", None), eos=eos) if text]
        most = kwargs.pop("max_gen_toks")
        temperature = kwargs.pop("temperature", 0.0)  # transformers warns of one that it does not use
        if kwargs["do_sample"]:
            kwargs["temperature"] = temperature
        waiting, batch, texts = deque(range(len(group.rows))), None, [""] * len(group.rows)
        while waiting or batch:
            free = self.size - len(batch.rows) if batch else self.size
            if waiting and free >= max(self.size // 4, 1):
                new = self._begin(group, [waiting.popleft() for _ in range(min(free, len(waiting)))])
                batch = _joined(batch, self._advance(new, 1, kwargs))
            assert batch is not None
            batch = self._advance(batch, SEGMENT, kwargs)
            going = []
            for i, number in enumerate(batch.rows):
                tokens, ended = self._ended(batch.ids[i, -batch.made[i] :].tolist(), stop, most)
                if ended:
                    texts[number] = postprocess_generated_text(lm.tok_decode(tokens), stop, None)
                else:
                    going.append(i)
            batch = _selected(batch, going)
        return texts

    def _begin(self, group: RequestGroup, numbers: list[int]) -> Batch:
        """Prompts padded on the left, with the prefix's keys and values in the columns where it stands."""
        import torch

        sequences = [group.rows[n][1] for n in numbers]
        width = max(map(len, sequences))
        pads = [width - len(s) for s in sequences]
        pad, device = self.lm.tokenizer.pad_token_id, self.lm.device
        ids = torch.tensor([[pad] * n + s for n, s in zip(pads, sequences, strict=True)], device=device)
        mask = torch.tensor([[0] * n + [1] * len(s) for n, s in zip(pads, sequences, strict=True)], device=device)
        made = [self.processors(group.rows[n][0]) for n in numbers] if self.processors else [[] for _ in numbers]
        return Batch(numbers, ids, mask, _shifted(self.cache, pads), [0] * len(numbers), made)

    def _advance(self, batch: Batch, steps: int, kwargs: dict[str, Any]) -> Batch:
        """The batch after up to `steps` more tokens."""
        import torch

        from ita_med.tasks.evaluation.kv_cache import growing

        width = batch.ids.shape[1]
        options = dict(kwargs)
        if any(batch.processors):
            options["logits_processor"] = [_by_row(batch)]
        cache = growing(batch.cache, width + steps)
        with torch.autocast(
            self.lm.device.type, self.lm.mixed_precision_dtype, enabled=self.lm.mixed_precision_dtype is not None
        ):
            ids = self.lm.model.generate(
                input_ids=batch.ids,
                attention_mask=batch.mask,
                max_length=width + steps,
                past_key_values=cache,
                pad_token_id=self.lm.tokenizer.pad_token_id,
                use_cache=True,
                **options,
            )
        new = ids.shape[1] - width
        mask = torch.nn.functional.pad(batch.mask, (0, new), value=1)
        last = ids.shape[1] - 1  # the token that was made last has no keys and values yet
        kept = [(keys[:, :, :last], values[:, :, :last]) for keys, values in _pairs(cache)]
        return Batch(batch.rows, ids, mask, kept, [n + new for n in batch.made], batch.processors)

    def _ended(self, tokens: list[int], stop: list[str], most: int) -> tuple[list[int], bool]:
        """The tokens up to the end of the answer, and whether it has ended: end of text, a stop string, or `most`."""
        ends = self.lm.model.generation_config.eos_token_id
        ends = {self.lm.eot_token_id, *(ends if isinstance(ends, list) else [ends])}
        tokens = tokens[:most]
        end = next((i for i, token in enumerate(tokens) if token in ends), None)
        if end is not None:
            return tokens[:end], True
        if len(tokens) == most:
            return tokens, True
        recent = SEGMENT + 8 + max(len(text.encode()) for text in stop)
        found = _holds(self.lm.tok_decode(tokens[-recent:]), stop) and _holds(self.lm.tok_decode(tokens), stop)
        return tokens, found


def _holds(text: str, stop: list[str]) -> bool:
    return any(s in text for s in stop)


def _keys_values(lm: HFLM, tokens: list[int]) -> KeysValues:
    """Keys and values of some tokens at the beginning of a text; empty for a model that keeps another kind of state."""
    import torch
    from transformers import DynamicCache, DynamicLayer

    cache = DynamicCache()  # without the model's config: every layer keeps all positions, sliding ones too
    with (
        torch.inference_mode(),
        torch.autocast(lm.device.type, lm.mixed_precision_dtype, enabled=lm.mixed_precision_dtype is not None),
    ):
        ids = torch.tensor([tokens], device=lm.device)
        options = {"attention_mask": torch.ones_like(ids), "past_key_values": cache, "use_cache": True}
        if "logits_to_keep" in inspect.signature(lm.model.forward).parameters:
            options["logits_to_keep"] = 1  # nobody reads them: gigabytes for a long prefix and a large vocabulary
        lm.model(input_ids=ids, **options)
    if not all(type(layer) is DynamicLayer for layer in cache.layers):
        return []
    return _pairs(cache)


def _pairs(cache: Any) -> KeysValues:
    return [(layer.keys, layer.values) for layer in cache.layers]


def _shifted(cache: KeysValues, pads: list[int]) -> KeysValues:
    """A batch's cache from that of one prefix: row i stands `pads[i]` columns further right, what overhangs is lost."""
    import torch

    def rows(x: torch.Tensor) -> torch.Tensor:
        length = x.shape[2]
        moved = [torch.nn.functional.pad(x[:, :, : max(length - n, 0)], (0, 0, min(n, length), 0)) for n in pads]
        return torch.cat(moved)

    return [(rows(keys), rows(values)) for keys, values in cache]


def _joined(a: Batch | None, b: Batch) -> Batch:
    """Both batches in one, the narrower one padded on the left."""
    import torch

    if a is None:
        return b
    width = max(a.ids.shape[1], b.ids.shape[1])

    def both(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.nn.functional.pad(t, (width - t.shape[1], 0)) for t in (x, y)])

    def cached(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.nn.functional.pad(t, (0, 0, width - 1 - t.shape[2], 0)) for t in (x, y)])

    cache = [(cached(ka, kb), cached(va, vb)) for (ka, va), (kb, vb) in zip(a.cache, b.cache, strict=True)]
    return Batch(
        a.rows + b.rows, both(a.ids, b.ids), both(a.mask, b.mask), cache, a.made + b.made, a.processors + b.processors
    )


def _selected(batch: Batch, rows: list[int]) -> Batch | None:
    """Some rows of a batch, without the columns that are padding in all of them; None without rows."""
    if not rows:
        return None
    if len(rows) == len(batch.rows):
        return batch
    first = int(batch.mask[rows].argmax(1).min())
    return Batch(
        [batch.rows[i] for i in rows],
        batch.ids[rows, first:],
        batch.mask[rows, first:],
        [(keys[rows, :, first:], values[rows, :, first:]) for keys, values in batch.cache],
        [batch.made[i] for i in rows],
        [batch.processors[i] for i in rows],
    )


def _by_row(batch: Batch) -> Callable[[Any, Any], Any]:
    """A LogitsProcessor that hands each row, without its padding, to the processors of its document."""
    starts = batch.mask.argmax(1).tolist()

    def process(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        for i, (start, processors) in enumerate(zip(starts, batch.processors, strict=True)):
            before = row = scores[i : i + 1]
            for processor in processors:
                row = processor(ids[i : i + 1, start:], row)
            if row is not before:  # our own processors write into the scores
                before.copy_(row)
        return scores

    return process
