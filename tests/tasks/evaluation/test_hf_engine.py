"""The engine answers as lm-eval's own `hf` model does, from one prefix and with documents that replace each other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.evaluation import hf_engine, prompt_requests

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")
REAL_MODEL = os.environ.get("ITA_MED_MODEL", "")
TASKS = ["ita_med_ner_e3c_disorder", "ita_med_qa_med_ita"]


def load(folder: Path | str, **options: Any) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(str(folder), dtype="float32", device="cpu", batch_size=4, **options)


@pytest.fixture(scope="module")
def lm(tiny_model: Path) -> Any:
    return load(tiny_model)


def asked(
    data: TaskData, lm: Any, *, chat: bool = False, shots: int = 2, tokens: int = 24
) -> list[prompt_requests.Request]:
    """Ten documents; short answers, and stop strings that random models meet."""
    found = prompt_requests.build(data, shots=shots, limit=10, template=lm.apply_chat_template if chat else None)
    for request in found:
        request.kwargs.update({"max_gen_toks": tokens, "until": ["z", "\nTesto:"]})
    return found


def by_lm_eval(lm: Any, wanted: list[prompt_requests.Request]) -> list[str]:
    from lm_eval.api.instance import Instance

    instances = [Instance("generate_until", r.doc, (r.prompt, r.kwargs), 0, (r.task, 0, 1)) for r in wanted]
    return list(lm.generate_until(instances, disable_tqdm=True))


def by_engine(lm: Any, wanted: list[prompt_requests.Request], size: int = 4, processors: Any = None) -> list[str]:
    model, texts = hf_engine.Engine(lm, size, processors), {}
    for group in hf_engine.groups(wanted, hf_engine.tokenise(lm, [r.prompt for r in wanted]), size):
        texts |= {r.id: text for r, text in zip(group.requests, model.generate(group), strict=True)}
    return [texts[r.id] for r in wanted]


@pytest.mark.parametrize("size", [1, 3, 4, 16])
@pytest.mark.parametrize("task", TASKS)
def test_outputs_are_those_of_lm_eval(lm: Any, embedded: dict[str, TaskData], task: str, size: int) -> None:
    wanted = asked(embedded[task], lm)
    free = by_lm_eval(lm, wanted)
    assert len(set(free)) > 3, "a model that answers everything alike shows nothing"
    for request in wanted:
        request.kwargs["until"] = [free[0][3:5], free[1][9:11], "\nTesto:"]
    expected = by_lm_eval(lm, wanted)
    assert 1 < sum(len(a) < len(b) for a, b in zip(expected, free, strict=True)) < len(free), "stop strings were met"
    assert by_engine(lm, wanted, size) == expected


def test_outputs_are_those_of_lm_eval_with_a_chat_template(lm: Any, embedded: dict[str, TaskData]) -> None:
    wanted = asked(embedded[TASKS[0]], lm, chat=True)
    assert wanted[0].prompt.startswith("<s>system: ")
    assert by_engine(lm, wanted) == by_lm_eval(lm, wanted)


def test_outputs_are_those_of_lm_eval_with_the_penalties_of_the_model(tiny_model: Path, embedded: Any) -> None:
    model = load(tiny_model)
    wanted = asked(embedded[TASKS[0]], model)
    before = by_lm_eval(model, wanted)
    model.model.generation_config.repetition_penalty = 1.5
    expected = by_lm_eval(model, wanted)
    assert expected != before
    assert by_engine(model, wanted) == expected


def test_outputs_are_those_of_lm_eval_with_sliding_windows(tiny_model: Path, embedded: Any) -> None:
    from transformers import AutoTokenizer, Gemma3ForCausalLM, Gemma3TextConfig

    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=600, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, head_dim=8,
        num_key_value_heads=2, sliding_window=32,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"], initializer_range=0.4,
        pad_token_id=1, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    model = load(tiny_model)
    model._model = Gemma3ForCausalLM(config).eval()
    model.tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    assert hf_engine.supports(model)
    wanted = asked(embedded[TASKS[0]], model)
    assert by_engine(model, wanted) == by_lm_eval(model, wanted)


def test_the_prefix_is_computed_once_for_a_task(lm: Any, embedded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = asked(embedded[TASKS[0]], lm)
    prefixes: list[int] = []
    keys_values = hf_engine._keys_values
    monkeypatch.setattr(
        hf_engine, "_keys_values", lambda lm, tokens: prefixes.append(len(tokens)) or keys_values(lm, tokens)
    )
    widths: list[int] = []
    forward = lm.model.forward
    monkeypatch.setattr(lm.model, "forward", lambda *a, **k: widths.append(k["input_ids"].shape[1]) or forward(*a, **k))
    by_engine(lm, wanted, 2)
    tokens = hf_engine.tokenise(lm, [r.prompt for r in wanted])
    shared = len(hf_engine.common_prefix(tokens))
    assert prefixes == [shared]
    assert shared > 100
    assert max(widths[1:]) <= max(map(len, tokens)) - shared, "a part of the prefix was computed again"


def test_a_constraint_sees_its_own_row_growing_by_one_token(lm: Any, embedded: Any) -> None:
    wanted = asked(embedded[TASKS[0]], lm, tokens=12)
    length = {r.id: len(t) for r, t in zip(wanted, hf_engine.tokenise(lm, [r.prompt for r in wanted]), strict=True)}
    allowed = {r.id: 300 + n for n, r in enumerate(wanted)}

    class Only:
        """Allows one token, the document's own, and the end after a number of them."""

        def __init__(self, name: str) -> None:
            self.name, self.seen = name, length[name] - 1

        def __call__(self, ids: Any, scores: Any) -> Any:
            assert ids.shape[0] == scores.shape[0] == 1
            assert ids.shape[1] == self.seen + 1
            self.seen += 1
            out = torch.full_like(scores, -torch.inf)
            made = ids.shape[1] - length[self.name]
            out[0, 1 if made == allowed[self.name] % 7 + 1 else allowed[self.name]] = 0
            return out

    texts = by_engine(lm, wanted, 3, lambda request: [Only(request.id)])
    expected = [lm.tok_decode([allowed[r.id]] * (allowed[r.id] % 7 + 1)).split("z")[0] for r in wanted]
    assert texts == expected


def test_a_batch_too_large_for_the_memory_is_halved(lm: Any, embedded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = asked(embedded[TASKS[0]], lm)
    expected = by_engine(lm, wanted)
    advance = hf_engine.Engine._advance

    def cramped(self: hf_engine.Engine, batch: hf_engine.Batch, *rest: Any) -> hf_engine.Batch:
        if len(batch.rows) > 2:
            raise torch.OutOfMemoryError
        return advance(self, batch, *rest)

    monkeypatch.setattr(hf_engine.Engine, "_advance", cramped)
    assert by_engine(lm, wanted, 16) == expected


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=40), min_size=1, max_size=5))
def test_the_common_prefix_is_one_of_all_and_leaves_a_token(sequences: list[list[int]]) -> None:
    prefix = hf_engine.common_prefix(sequences)
    assert all(s[: len(prefix)] == prefix and len(s) > len(prefix) for s in sequences)
    same = [len(set(column)) == 1 for column in zip(*sequences, strict=False)]
    longer = sequences[0][: min((*[i for i, equal in enumerate(same) if not equal], min(map(len, sequences)) - 1))]
    assert prefix == (longer if len(longer) >= hf_engine.SHORTEST_PREFIX else [])


@pytest.mark.slow
@pytest.mark.skipif(not REAL_MODEL, reason="ITA_MED_MODEL names no folder of a small model")
def test_outputs_of_a_real_model_are_those_of_lm_eval(embedded: dict[str, TaskData]) -> None:
    model = load(REAL_MODEL)
    for task in TASKS:
        wanted = prompt_requests.build(embedded[task], shots=4, limit=6)
        for request in wanted:
            request.kwargs["max_gen_toks"] = 48
        assert by_engine(model, wanted) == by_lm_eval(model, wanted)


@pytest.mark.parametrize("room", [0, 3, 9])
def test_a_growing_cache_holds_what_transformers_own_holds(room: int) -> None:
    """Whether there is room for the new columns or not; what it began with is not written into."""
    from transformers import DynamicCache

    from ita_med.tasks.evaluation.kv_cache import growing

    torch.manual_seed(0)
    first = [(torch.randn(2, 3, 5, 4), torch.randn(2, 3, 5, 4)) for _ in range(2)]
    before = [(keys.clone(), values.clone()) for keys, values in first]
    own, theirs = growing(first, 5 + room), DynamicCache(before)
    for new in (1, 1, 4, 1):
        for layer in range(2):
            states = torch.randn(2, 3, new, 4), torch.randn(2, 3, new, 4)
            for a, b in zip(own.update(*states, layer), theirs.update(*states, layer), strict=True):
                assert torch.equal(a, b)
        assert own.get_seq_length() == theirs.get_seq_length()
    assert all(torch.equal(a, b) for x, y in zip(first, before, strict=True) for a, b in zip(x, y, strict=True))
