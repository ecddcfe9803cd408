"""The trainer: documents of packed rows do not see each other, and batches and masks change nothing but the speed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
for module in ("trl", "peft", "accelerate"):
    pytest.importorskip(module)

from ita_med.training import recipe as recipes  # noqa: E402
from ita_med.training.data import corpora, fine_tuning  # noqa: E402
from ita_med.training.decoders import sft, trl_trainer  # noqa: E402

pytestmark = pytest.mark.torch

Tiny = Callable[[str], Path]


def packed(tiny: Tiny, family: str, corpus: Path, length: int) -> list[dict[str, Any]]:
    from transformers import AutoTokenizer
    from trl import pack_dataset

    name = next(name for name in recipes.names() if name.startswith(family) and name.endswith("cpt"))
    recipe = recipes.load(recipes.find(name), [f"data.corpora=[{corpus}]", "data.streaming=false"])
    tokenizer = AutoTokenizer.from_pretrained(tiny(family))
    rows = corpora.dataset(recipe, corpora.prepare(recipe), tokenizer)
    return list(pack_dataset(rows, length, "bfd_split"))


@pytest.mark.parametrize("family", ["qwen3", "llama3", "gemma3"])
def test_packed_documents_are_computed_as_if_each_were_alone(family: str, tiny: Tiny, corpus: Path) -> None:
    from transformers import AutoModelForCausalLM

    rows = [row for row in packed(tiny, family, corpus, 192) if len(row["seq_lengths"]) > 1][:3]
    rows.append({key: value[:-1] for key, value in rows[0].items() if key != "seq_lengths"})  # shorter: padded
    rows[-1]["seq_lengths"] = [*rows[0]["seq_lengths"][:-1], rows[0]["seq_lengths"][-1] - 1]
    model = AutoModelForCausalLM.from_pretrained(tiny(family), attn_implementation="sdpa")
    batch = trl_trainer.PackedRows(0)(rows)
    with torch.no_grad():
        together = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
        for row, logits in zip(rows, together, strict=True):
            start = 0
            for length in row["seq_lengths"]:
                ids = torch.tensor([row["input_ids"][start : start + length]])
                alone = model(input_ids=ids, use_cache=False).logits[0]
                assert torch.allclose(alone, logits[start : start + length], atol=1e-4), "a document sees another"
                assert batch["labels"][rows.index(row)][start] == fine_tuning.IGNORED
                start += length
            assert start == len(row["input_ids"])
    trained = sum(len(row["input_ids"]) - len(row["seq_lengths"]) for row in rows)
    assert (batch["labels"] != fine_tuning.IGNORED).sum() == trained, "every token but the first of each document"


def test_rows_side_by_side_are_trained_as_rows_one_by_one(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import Dataset
    from transformers import AutoTokenizer

    recipe = recipes.load(
        recipes.find("smollm2/smollm2-135m-instruct-ft"),
        [f"model.path={tiny('smollm2')}", "data.tasks=[arg_abstrct]", "data.examples=24", "train.batch_size=3",
         "train.max_steps=3", "train.logging_steps=1", "report_to=none", "lora.dropout=0.0"],
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(tiny("smollm2"))
    rows = fine_tuning.fitting(fine_tuning.prepare(recipe, "embedded"), tokenizer, chat=True, max_length=1024)
    assert sft.settings(recipe, tmp_path)["per_device_train_batch_size"] == 1
    honest, logs = sft.settings, []
    for batch in (1, 3):
        changed = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": 3 // batch}
        monkeypatch.setattr(sft, "settings", lambda *a, _changed=changed, **k: honest(*a, **k) | _changed)
        trainer = sft.make(recipe, Dataset.from_list(rows), tokenizer, tmp_path / str(batch))
        trainer.train()
        logs.append([entry for entry in trainer.state.log_history if "loss" in entry])
    for one, side in zip(*logs, strict=True):
        assert side["loss"] == pytest.approx(one["loss"], rel=1e-4)
        assert side["num_tokens"] == one["num_tokens"], "padding is counted"
