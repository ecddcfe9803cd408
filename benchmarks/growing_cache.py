"""Keys and values with free columns (`tasks/evaluation/kv_cache.py`) against transformers' DynamicCache, in one run.

    OMP_NUM_THREADS=1 python benchmarks/growing_cache.py MODEL_FOLDER [--rows N] [--columns N]

What the engine does between two looks at its answers: `SEGMENT` tokens for rows that have read so many columns. Copying
the keys and values into the cache, and generating, are in both times. Both must write the same tokens. Rounds
alternate; the median of each side is taken.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from transformers import AutoModelForCausalLM, DynamicCache

from ita_med.tasks.evaluation.hf_engine import SEGMENT
from ita_med.tasks.evaluation.kv_cache import growing

ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--columns", type=int, default=1000)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).to(device).eval()
    torch.manual_seed(0)
    ids = torch.randint(1000, 20_000, (args.rows, args.columns), device=device)
    with torch.inference_mode():
        read = DynamicCache()
        model(input_ids=ids[:, :-1], past_key_values=read, use_cache=True, logits_to_keep=1)
        pairs = [(layer.keys, layer.values) for layer in read.layers]
        sides: dict[str, Callable[[], Any]] = {
            "transformers": partial(DynamicCache, pairs),
            "ours": partial(growing, pairs, args.columns + SEGMENT),
        }
        times: dict[str, list[float]] = {name: [] for name in sides}
        outputs = {}
        for _ in range(ROUNDS):
            for name, make in sides.items():
                started = time.perf_counter()
                outputs[name] = model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    past_key_values=make(),
                    max_new_tokens=SEGMENT,
                    min_new_tokens=SEGMENT,
                    do_sample=False,
                )
                times[name].append(time.perf_counter() - started)
    slow, fast = (statistics.median(times[name]) for name in ("transformers", "ours"))
    equal = torch.equal(outputs["transformers"], outputs["ours"])
    print(f"{args.rows} rows × {args.columns} columns, {SEGMENT} tokens, {device}, float32, equal: {equal}")
    print(f"transformers {slow:.2f} s; ours {fast:.2f} s; ratio {slow / fast:.2f} (median of {ROUNDS} rounds)")


if __name__ == "__main__":
    main()
