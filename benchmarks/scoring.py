"""Scoring mentions: our counts against seqeval on the same spans, in one run.

    python benchmarks/scoring.py

20,000 documents of 30 to 90 tokens with up to 8 mentions of 4 labels; the predictions drop, move or relabel one in
five. seqeval gets IOB tags (made beforehand), we get texts and offsets. The two micro-F1 must be equal: every mention
has its own text, so that matching by text and by place is the same. Best of three rounds.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from seqeval.metrics import f1_score

from ita_med.schema import Span, SpanExample
from ita_med.tasks.families.spans import Spans, SpanSetting
from ita_med.tasks.scoring import matching, metrics

DOCUMENTS, ROUNDS = 20_000, 3
LABELS = ("DISEASE", "DRUG", "SYMPTOM", "TEST")
Place = tuple[int, int, str]
"""First token, last token + 1, label."""


def document(rng: random.Random) -> tuple[int, list[Place], list[Place]]:
    """Number of tokens, gold places, predicted places."""
    size = rng.randint(30, 90)
    cuts = sorted(rng.sample(range(size), 2 * rng.randint(0, 8)))
    gold = [(a, b, rng.choice(LABELS)) for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
    predicted = []
    for start, end, label in gold:
        fate = rng.random()
        if fate < 0.8:
            predicted.append((start, end, label))
        elif fate < 0.87 and end - start > 1:
            predicted.append((start + 1, end, label))
        elif fate < 0.94:
            predicted.append((start, end, rng.choice(LABELS)))
    return size, gold, predicted


def tags(size: int, places: list[Place]) -> list[str]:
    out = ["O"] * size
    for start, end, label in places:
        out[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return out


def located(places: list[Place]) -> list[tuple[str, int, int]]:
    """Tokens are "w0000 w0001 …": six characters each, so that a place gives its offsets."""
    return [(label, 6 * start, 6 * end - 1) for start, end, label in places]


def best(run: Callable[[], Any]) -> tuple[float, Any]:
    times, result = [], None
    for _ in range(ROUNDS):
        started = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - started)
    return min(times), result


def main() -> None:
    rng = random.Random(0)
    documents = [document(rng) for _ in range(DOCUMENTS)]
    gold_tags = [tags(size, gold) for size, gold, _ in documents]
    predicted_tags = [tags(size, predicted) for size, _, predicted in documents]
    texts = [" ".join(f"w{n:04}" for n in range(size)) for size, _, _ in documents]
    gold = [[(label, t[s:e]) for label, s, e in located(g)] for t, (_, g, _) in zip(texts, documents, strict=True)]
    predicted = [[(label, t[s:e]) for label, s, e in located(p)] for t, (_, _, p) in zip(texts, documents, strict=True)]

    def strict() -> float:
        rows = [matching.multiset_by_label(g, p, LABELS) for g, p in zip(gold, predicted, strict=True)]
        tp, fp, fn = np.array(rows).reshape(-1, len(LABELS) + 1, 3).sum((0, 1))
        return float(metrics.f1(tp, fp, fn))

    setting = SpanSetting({label: (label.lower(), "") for label in LABELS})
    examples = [
        SpanExample(str(n), str(n), t, [Span(s, e, label, t[s:e]) for label, s, e in located(g)])
        for n, (t, (_, g, _)) in enumerate(zip(texts, documents, strict=True))
    ]
    answers = [
        {"entities": [{"label": label, "text": t[s:e], "start": s, "end": e} for label, s, e in located(p)]}
        for t, (_, _, p) in zip(texts, documents, strict=True)
    ]

    family = Spans({})

    def everything() -> float:
        rows = np.array([family.count(setting, e, a) for e, a in zip(examples, answers, strict=True)])
        values, _ = metrics.evaluate(family.metrics(setting), rows, [e.id for e in examples])
        return values["score"]

    peer, peer_score = best(lambda: f1_score(gold_tags, predicted_tags))
    own, own_score = best(strict)
    full, full_score = best(everything)
    assert abs(peer_score - own_score) < 1e-12
    assert abs(peer_score - full_score) < 1e-12
    print(f"strict micro-F1 {own_score:.4f} over {DOCUMENTS:,} documents")
    print(f"seqeval {peer:.2f} s; ours {own:.2f} s; ours with all metrics and bootstrap errors {full:.2f} s")
    print(f"ratio seqeval / ours: {peer / own:.1f} (all metrics and errors: {peer / full:.1f})")


if __name__ == "__main__":
    main()
