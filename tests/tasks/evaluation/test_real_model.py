"""One small real model, end to end, where ITA_MED_MODEL names its folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ita_med.tasks.evaluation.eval_run import Run
from ita_med.tasks.evaluation.evaluate import evaluate

pytestmark = pytest.mark.torch

MODEL = os.environ.get("ITA_MED_MODEL", "")


@pytest.mark.slow
@pytest.mark.skipif(not MODEL, reason="ITA_MED_MODEL names no folder of a small model")
def test_a_real_model_writes_predictions_for_base_and_chat_prompts(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    tasks = ["ita_med_ner_e3c_disorder", "ita_med_qa_med_ita"]
    prompts = {}
    for chat in (False, True):
        out = tmp_path / f"chat-{chat}"
        run = Run("hf", f"pretrained={MODEL}", num_fewshot=1, apply_chat_template=chat, limit=3, device="cpu")
        results = evaluate(run, tasks, out, "embedded")
        for task in tasks:
            rows = [json.loads(line) for line in (out / "predictions" / f"{task}.jsonl").read_text().splitlines()]
            assert len(rows) == 3
            assert all(("raw" in row) == (task == "ita_med_qa_med_ita") for row in rows), "E3C is CC BY-NC: no texts"
            assert 0 <= results["tasks"][task]["score"] <= 1
        manifest = json.loads((out / "manifest.json").read_text())
        assert MODEL not in json.dumps(manifest), "a path of this machine in the manifest"
        assert manifest["run"]["limit"] == 3
        assert results["limited"]
        prompts[chat] = manifest["prompts_sha256"]
    assert prompts[False] == prompts[True]
