"""Floating-point operations of a transformer, from its configuration and counted tokens.

Counted are the matrix products (2 · m · n · k each): projections, attention, feed-forward, language-model head,
low-rank adapters. Norms, activations, softmax, rotary embeddings and look-ups are not.
`tests/training/studies/costs/test_flops.py` holds the formulas against torch.utils.flop_counter, forward and backward.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ita_med.errors import ItaMedError

MATRICES = ("q", "k", "v", "o", "up", "gate", "down")
ENCODERS = ("bert", "roberta", "xlm-roberta", "camembert", "distilbert", "electra", "deberta-v2", "modernbert")
UNGATED = (*ENCODERS[:-1], "gpt_neox", "phi")
"""Families with two matrices in the feed-forward part."""


@dataclass(frozen=True)
class Shape:
    """A stack of equal layers. kv_heads: fewer than `heads` with grouped queries; gated: three matrices in the
    feed-forward part, else two; windows: of each layer the tokens that it looks back, 0 for all; causal: a token sees
    those before it (decoder), else all (encoder); head: whether there is a language-model head of `vocabulary`."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    inner: int
    gated: bool
    vocabulary: int
    windows: tuple[int, ...] = ()
    causal: bool = True
    head: bool = True

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """Of one layer: name -> (in, out)."""
        wide, narrow = self.heads * self.head_dim, self.kv_heads * self.head_dim
        found = {"q": (self.hidden, wide), "k": (self.hidden, narrow), "v": (self.hidden, narrow)}
        found |= {"o": (wide, self.hidden), "up": (self.hidden, self.inner), "down": (self.inner, self.hidden)}
        return found | ({"gate": (self.hidden, self.inner)} if self.gated else {})

    @property
    def layer_flops(self) -> int:
        """Of one layer and one token, without attention between tokens."""
        return sum(2 * m * n for m, n in self.matrices.values())

    @property
    def head_flops(self) -> int:
        """Of one scored position."""
        return 2 * self.hidden * self.vocabulary if self.head else 0

    @property
    def parameters(self) -> int:
        """Of the matrices, with the embeddings once (norms and biases are not counted)."""
        return self.layers * self.layer_flops // 2 + self.hidden * self.vocabulary

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"windows": list(self.windows)}


def shape_of(values: dict[str, Any]) -> Shape:
    """The inverse of `Shape.as_dict`."""
    return Shape(**(values | {"windows": tuple(values["windows"])}))


@dataclass(frozen=True)
class Lengths:
    """Token counts of sequences, summed up: how many, their sum, the sum of their squares."""

    n: float = 0
    total: float = 0
    squares: float = 0

    @staticmethod
    def of(lengths: Iterable[int]) -> Lengths:
        counted = list(lengths)
        return Lengths(len(counted), sum(counted), sum(x * x for x in counted))

    @staticmethod
    def alike(n: float, total: float) -> Lengths:
        """Where only the sum is known: as if all were equally long, which counts a little too little attention."""
        return Lengths(n, total, total * total / n if n else 0)

    def times(self, factor: float) -> Lengths:
        return Lengths(self.n * factor, self.total * factor, self.squares * factor)


def attention_pairs(shape: Shape, lengths: Lengths, *, full: bool = False) -> float:
    """Query-key pairs over all layers. full: also those that a causal mask hides, as kernels without skipping do."""
    whole = lengths.squares if full or not shape.causal else (lengths.squares + lengths.total) / 2
    windows = shape.windows or (0,) * shape.layers
    return sum(whole if full or not w else min(whole, _windowed(shape, lengths, w)) for w in windows)


def _windowed(shape: Shape, lengths: Lengths, window: int) -> float:
    """With a window, of sequences of the mean length."""
    if not lengths.n:
        return 0.0
    mean = lengths.total / lengths.n
    if not shape.causal:
        return lengths.n * mean * min(mean, window)
    if mean <= window:
        return (lengths.squares + lengths.total) / 2
    return lengths.n * (window * (window + 1) / 2 + (mean - window) * window)


def attention(shape: Shape, lengths: Lengths, *, full: bool = False) -> float:
    """Scores and weighted sums: 4 · heads · head_dim per pair."""
    return 4 * shape.heads * shape.head_dim * attention_pairs(shape, lengths, full=full)


def forward(shape: Shape, lengths: Lengths, *, scored: float | None = None, full: bool = False) -> float:
    """One pass over sequences. scored: positions that go through the head, None for all."""
    positions = lengths.total if scored is None else scored
    linear = shape.layers * shape.layer_flops * lengths.total + shape.head_flops * positions
    return linear + attention(shape, lengths, full=full)


@dataclass(frozen=True)
class Adapter:
    """LoRA of rank r on the matrices `on`."""

    r: int
    on: tuple[str, ...] = MATRICES

    def flops(self, shape: Shape) -> int:
        """Of one layer, one token, one pass."""
        return sum(2 * self.r * sum(size) for name, size in shape.matrices.items() if name in self.on)

    def parameters(self, shape: Shape) -> int:
        return shape.layers * self.flops(shape) // 2


def training(
    shape: Shape,
    lengths: Lengths,
    adapter: Adapter | None = None,
    *,
    scored: float | None = None,
    checkpointing: bool = False,
    full: bool = False,
) -> float:
    """Forward and backward passes over sequences.

    All parameters: every product thrice (forward, gradient of its input, gradient of its weight). LoRA: frozen products
    twice (no gradient of the weight), those of the adapter thrice; what feeds the first layer is frozen, so its q, k, v
    need no gradient of their input. Exact for adapters on all projections; without one on k and v the first layer's
    attention needs a little less. checkpointing: layers run forward once more.
    """
    positions = lengths.total if scored is None else scored
    linear, head = shape.layers * shape.layer_flops * lengths.total, shape.head_flops * positions
    mixed = attention(shape, lengths, full=full)
    again = linear + mixed if checkpointing else 0.0
    if adapter is None:
        return 3 * (linear + head + mixed) + again
    added = shape.layers * adapter.flops(shape) * lengths.total
    first = [size for name, size in shape.matrices.items() if name in ("q", "k", "v")]
    saved = sum(2 * m * n for m, n in first)
    saved += sum(2 * adapter.r * shape.hidden for name in ("q", "k", "v") if name in adapter.on)
    again += added if checkpointing else 0
    return 2 * (linear + head) + 3 * (mixed + added) - saved * lengths.total + again


def generation(shape: Shape, prompts: Lengths, answer_tokens: float) -> float:
    """Reading prompts once and writing `answer_tokens` in all with a key-value cache; the head scores each new token.

    Every prompt is read whole, as a server without a prefix cache does. The answers are taken as equally long.
    """
    if not prompts.n:
        return 0.0
    mean = answer_tokens / prompts.n
    scored = answer_tokens
    linear = shape.layers * shape.layer_flops * (prompts.total + max(mean - 1, 0) * prompts.n)
    read = attention(shape, prompts)
    steps = max(mean - 1, 0)  # the first token comes from the prompt
    pairs = shape.layers * (steps * prompts.total + prompts.n * steps * (steps + 1) / 2)
    return linear + shape.head_flops * scored + read + 4 * shape.heads * shape.head_dim * pairs


def read_config(path: Path, *, head: bool = True) -> Shape:
    """The shape that a config.json describes: Llama, Qwen, Gemma, Mistral, BERT, RoBERTa, ModernBERT and their like."""
    file = path / "config.json" if path.is_dir() else path
    try:
        values = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ItaMedError(f"{file} is missing: the operations of a model are counted from its configuration") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise ItaMedError(f"{file} is not JSON ({error})") from error
    return of_config(values, str(file), head=head)


def of_config(values: Any, where: str, *, head: bool = True) -> Shape:
    """The shape of a decoded config.json."""
    try:
        text = values.get("text_config") or values
        hidden, heads = int(text["hidden_size"]), int(text["num_attention_heads"])
        layers, kind = int(text["num_hidden_layers"]), str(text.get("model_type", ""))
        if "num_experts" in text or "num_local_experts" in text:
            raise ItaMedError(f"{where}: a mixture of experts ({kind}) is not counted")
        gated = kind not in UNGATED
        found = Shape(
            layers=layers,
            hidden=hidden,
            heads=heads,
            kv_heads=int(text.get("num_key_value_heads") or heads),
            head_dim=int(text.get("head_dim") or hidden // heads),
            inner=int(text["intermediate_size"]),
            gated=gated,
            vocabulary=int(text["vocab_size"]),
            windows=_windows(text, layers, kind),
            causal=kind not in ENCODERS,
            head=head,
        )
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise ItaMedError(f"{where}: not the configuration of a transformer that is known here ({error})") from error
    if min(found.layers, found.hidden, found.heads, found.kv_heads, found.head_dim, found.inner, found.vocabulary) < 1:
        raise ItaMedError(f"{where}: sizes must be at least 1")
    return found


def _windows(text: dict[str, Any], layers: int, kind: str) -> tuple[int, ...]:
    """Per layer, 0 where it sees everything."""
    if kind == "modernbert":
        every, window = int(text.get("global_attn_every_n_layers") or 1), int(text.get("local_attention") or 0)
        return tuple(0 if n % every == 0 else window for n in range(layers))
    window = int(text.get("sliding_window") or 0) if text.get("use_sliding_window", True) else 0
    if not window:
        return ()
    kinds = text.get("layer_types")
    if isinstance(kinds, list) and len(kinds) == layers:
        return tuple(window if name == "sliding_attention" else 0 for name in kinds)
    every = int(text.get("sliding_window_pattern") or 0)
    return tuple(0 if every and (n + 1) % every == 0 else window for n in range(layers))
