"""Constrained against free decoding on a vocabulary of 151,936 tokens: tokens per second, in one run.

    python benchmarks/decoding.py TOKENIZER [--hidden 512 --layers 4]

TOKENIZER is a folder with Qwen3's tokenizer. The model has random weights and Qwen3's shape, so it loops in its
answers; both ways generate the same number of tokens, 8 rows of the task `ner_e3c_disorder` (embedded sample), each
with its own document's schema. Rounds alternate; the ratio is that of the medians. The time of the processor alone
(masks of 8 rows, and their application to the scores) is printed beside it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from ita_med.tasks.benchmark.task_data import load
from ita_med.tasks.decoding import grammar, hf

BATCH, VOCABULARY = 8, 151_936


class Timed(hf.AnswerProcessor):
    seconds = 0.0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        started = time.perf_counter()
        result = super().__call__(input_ids, scores)
        self.seconds += time.perf_counter() - started
        return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tokenizer")
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--kind", default="schema", choices=grammar.KINDS)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer, padding_side="left")
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=args.hidden,
        intermediate_size=3 * args.hidden,
        num_hidden_layers=args.layers,
        num_attention_heads=args.hidden // 64,
        num_key_value_heads=args.hidden // 128,
        head_dim=64,
        tie_word_embeddings=True,
    )
    model = Qwen3ForCausalLM(config).eval().to(args.device)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    data = load("ner_e3c_disorder", "embedded")
    examples = data.examples[:BATCH]
    prompts = tokenizer([data.prompt(e) for e in examples], return_tensors="pt", padding=True).to(args.device)
    constraints = [grammar.constraint(data, e, args.kind) for e in examples]
    started = time.perf_counter()
    hf.prepare(tokenizer)
    print(f"tokenizer prepared once in {time.perf_counter() - started:.1f} s")

    def run(constrained: bool) -> tuple[float, float, float, int]:
        """Seconds by the clock, of all cores, and in the processor; rows whose answer is not at its end."""
        processors: list[Any] = [Timed(tokenizer, constraints)] if constrained else []
        started, used = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            out = model.generate(**prompts, do_sample=False, max_new_tokens=args.tokens, logits_processor=processors)
        seconds, used = time.perf_counter() - started, time.process_time() - used
        assert out.shape[1] == prompts["input_ids"].shape[1] + args.tokens
        live = sum(not row.ended for row in processors[0].rows if row) if constrained else BATCH
        return seconds, used, processors[0].seconds if constrained else 0.0, live

    run(False)
    run(True)
    pairs = [(run(False), run(True)) for _ in range(args.rounds)]
    free, bound = (
        [statistics.median(column) for column in zip(*runs, strict=True)] for runs in zip(*pairs, strict=True)
    )
    size = sum(p.numel() for p in model.parameters()) / 1e6
    print(f"{size:.0f} M parameters; {BATCH} rows x {args.tokens} tokens, {bound[3]:.0f} rows still open at the end")
    for name, (seconds, used, _, _) in (("free", free), ("constrained", bound)):
        wall, cpu = 1000 * seconds / args.tokens, 1000 * used / args.tokens
        print(f"{name:<12} {BATCH * args.tokens / seconds:8.1f} tokens/s, a step {wall:.1f} ms, CPU {cpu:.1f} ms")
    print(f"processor    {1000 * bound[2] / args.tokens:.2f} ms of each step: {bound[2] / free[0]:.1%} of a free one")
    print(
        f"ratio constrained / free: {free[0] / bound[0]:.3f} tokens/s, {free[1] / bound[1]:.3f} tokens per CPU second"
        " (target: 0.95 or more)"
    )


if __name__ == "__main__":
    main()
