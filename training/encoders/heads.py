"""What the heads have in common: rows of tensors, their loss, and the scores that a trained head gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ita_med.training.backend.libraries import IGNORED
from ita_med.training.encoders.text import Inputs, Window

if TYPE_CHECKING:
    import torch

HEADS = {
    "tokens": "AutoModelForTokenClassification",
    "classes": "AutoModelForSequenceClassification",
    "span": "AutoModelForQuestionAnswering",
}
TARGETS = ("labels", "sizes", "options", "allowed")
"""What a batch holds beside the encoder's inputs."""
HeadScores = NDArray[np.float32]


@dataclass(slots=True)
class EncoderRow:
    """One training row.

    tokens   one sequence; target (tokens, labels): class per token and label, `IGNORED` where none is asked
    span     one sequence; target (2,): first and last token of the value, 0 and 0 for no value
    classes  all sequences of all candidates; sizes: number of sequences (windows) of each candidate; target (1,): the
             right class of the only candidate, or the right one of several; allowed: classes that may be answered
    """

    sequences: list[Inputs]
    target: NDArray[np.int64]
    sizes: list[int] = field(default_factory=lambda: [1])
    allowed: NDArray[np.bool_] | None = None

    @property
    def tokens(self) -> int:
        return sum(len(sequence["input_ids"]) for sequence in self.sequences)


@dataclass
class Part:
    """One model of a task: its head, the names of its classes, what it learns from, and what predicting must know.

    counts: how many gold answers there were and how many of them this head can express.
    """

    name: str
    head: str
    labels: list[str]
    rows: list[EncoderRow]
    facts: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass
class LoadedPart:
    """A trained part. batch_size: sequences that are read at once."""

    model: Any
    tokenizer: Any
    labels: list[str]
    facts: dict[str, Any]
    batch_size: int = 32

    @property
    def lengths(self) -> dict[str, Any]:
        return {"max_length": self.facts["max_length"], "overlap": self.facts["overlap"]}


def padded(sequences: Sequence[Inputs], tokenizer: Any) -> dict[str, torch.Tensor]:
    """The encoder's inputs, padded on the right to the longest."""
    import torch

    longest = max(len(sequence["input_ids"]) for sequence in sequences)
    found = {name: torch.zeros(len(sequences), longest, dtype=torch.long) for name in sequences[0]}
    found["input_ids"].fill_(tokenizer.pad_token_id)
    found["attention_mask"] = torch.zeros(len(sequences), longest, dtype=torch.long)
    for n, sequence in enumerate(sequences):
        for name, values in sequence.items():
            found[name][n, : len(values)] = torch.from_numpy(values)
        found["attention_mask"][n, : len(sequence["input_ids"])] = 1
    return found


class BatchCollator:
    """Rows -> a batch."""

    def __init__(self, tokenizer: Any, head: str) -> None:
        self.tokenizer, self.head = tokenizer, head

    def __call__(self, rows: list[EncoderRow]) -> dict[str, torch.Tensor]:
        import torch

        batch = padded([sequence for row in rows for sequence in row.sequences], self.tokenizer)
        if self.head == "tokens":
            shape = (*batch["input_ids"].shape, rows[0].target.shape[1])
            batch["labels"] = torch.full(shape, IGNORED)
            for n, row in enumerate(rows):
                batch["labels"][n, : len(row.target)] = torch.from_numpy(row.target)
            return batch
        batch["labels"] = torch.from_numpy(np.stack([row.target for row in rows]))
        if self.head == "classes":
            batch["sizes"] = torch.tensor([size for row in rows for size in row.sizes])
            batch["options"] = torch.tensor([len(row.sizes) for row in rows])
            if rows[0].allowed is not None:
                batch["allowed"] = torch.from_numpy(np.stack([row.allowed for row in rows if row.allowed is not None]))
        return batch


def loss(head: str, outputs: Any, targets: dict[str, torch.Tensor]) -> torch.Tensor:
    """Cross-entropy, the mean over what is asked."""
    import torch

    cross_entropy = torch.nn.functional.cross_entropy
    labels = targets["labels"]
    if head == "tokens":
        logits = outputs.logits.reshape(-1, 3)  # a label's three classes lie side by side
        labels = labels.reshape(-1)
        total = cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
        return total / (labels != IGNORED).sum().clamp(min=1)
    if head == "span":
        outside = targets["attention_mask"] == 0
        first, last = (x.masked_fill(outside, -torch.inf) for x in (outputs.start_logits, outputs.end_logits))
        return (cross_entropy(first, labels[:, 0]) + cross_entropy(last, labels[:, 1])) / 2
    scores = pooled(outputs.logits, targets["sizes"].tolist())
    if scores.shape[1] == 1:  # several candidates with one score each
        options = scores[:, 0].split(targets["options"].tolist())
        losses = [cross_entropy(x[None], label) for x, label in zip(options, labels, strict=True)]
        return torch.stack(losses).mean()
    if "allowed" in targets:
        scores = scores.masked_fill(~targets["allowed"], -torch.inf)
    return cross_entropy(scores, labels[:, 0])


def pooled(logits: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """One row of scores per candidate from the scores of its windows: a class is as likely as in its best window.

    Of several classes, the first means that nothing was found, and is as likely as in the window with the least of it.
    """
    import torch

    parts = []
    for part in logits.split(sizes):
        best = part.amax(0)
        parts.append(best if logits.shape[1] == 1 else torch.cat([part[:, 0].amin(0)[None], best[1:]]))
    return torch.stack(parts)


def pooled_scores(scores: Sequence[HeadScores]) -> HeadScores:
    """`pooled` for one candidate: (classes,) from the scores of each window."""
    stacked = np.stack(scores)
    best: HeadScores = stacked.max(0)
    if len(best) > 1:
        best[0] = stacked[:, 0].min()
    return best


def infer(loaded: LoadedPart, sequences: Sequence[Inputs]) -> list[HeadScores]:
    """The scores of every sequence: (tokens, 3 * labels), (tokens, 2) for first and last token, or (classes,)."""
    import torch

    model, order = loaded.model, sorted(range(len(sequences)), key=lambda n: -len(sequences[n]["input_ids"]))
    found: list[HeadScores] = [np.zeros(0, np.float32)] * len(sequences)
    with torch.inference_mode():
        for at in range(0, len(order), loaded.batch_size):
            chosen = order[at : at + loaded.batch_size]
            batch = padded([sequences[n] for n in chosen], loaded.tokenizer)
            outputs = model(**{name: values.to(model.device) for name, values in batch.items()})
            logits = outputs.logits if "logits" in outputs else torch.stack([outputs[0], outputs[1]], -1)
            for n, values in zip(chosen, logits.float().cpu().numpy(), strict=True):
                found[n] = values[: len(sequences[n]["input_ids"])] if values.ndim == 2 else values
    return found


def infer_windows(loaded: LoadedPart, by_text: Sequence[list[Window]]) -> list[list[HeadScores]]:
    """`infer` for the windows of many texts, text by text."""
    flat = iter(infer(loaded, [window.inputs for windows in by_text for window in windows]))
    return [[next(flat) for _ in windows] for windows in by_text]
