"""The formulas against torch's own counter, on tiny models of the real families."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ita_med.errors import ItaMedError
from ita_med.training.studies.costs import flops

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES: dict[str, Any] = {
    "vocab_size": 211, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 4,
}  # fmt: skip
DECODERS = {
    "LlamaConfig": {"num_key_value_heads": 2},
    "Qwen3Config": {"num_key_value_heads": 2, "head_dim": 16},
    "Gemma3TextConfig": {"num_key_value_heads": 1, "head_dim": 20, "sliding_window": 1024},
}
LENGTH, ROWS = 17, 2


def decoder(name: str) -> tuple[Any, flops.Shape]:
    config = getattr(transformers, name)(**SIZES, **DECODERS[name], attn_implementation="eager")
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config), flops.of_config(config.to_dict(), name)


def counted(model: Any, *, backward: bool) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    ids = torch.ones(ROWS, LENGTH, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        found = model(input_ids=ids, use_cache=False)
        if backward:
            found.logits.sum().backward()
    by_module = counter.get_flop_counts()
    rotary = sum(sum(ops.values()) for name, ops in by_module.items() if name.rpartition(".")[2].startswith("rotary"))
    return int(counter.get_total_flops() - rotary)


@pytest.mark.parametrize("name", DECODERS)
def test_forward_and_backward_are_torchs(name: str) -> None:
    model, shape = decoder(name)
    lengths = flops.Lengths.of([LENGTH] * ROWS)
    assert counted(model, backward=False) == flops.forward(shape, lengths, full=True)
    assert counted(model, backward=True) == flops.training(shape, lengths, full=True)


@pytest.mark.parametrize("name", DECODERS)
def test_lora_saves_what_the_formula_says(name: str) -> None:
    peft = pytest.importorskip("peft")
    model, shape = decoder(name)
    config = peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", lora_dropout=0.0)
    adapted = peft.get_peft_model(model, config)
    adapter = flops.Adapter(4)
    lengths = flops.Lengths.of([LENGTH] * ROWS)
    assert adapted.get_nb_trainable_parameters()[0] == adapter.parameters(shape)
    assert counted(adapted, backward=True) == flops.training(shape, lengths, adapter, full=True)
    assert flops.training(shape, lengths, adapter) < flops.training(shape, lengths)


def test_adapters_on_some_projections_are_next_to_exact() -> None:
    peft = pytest.importorskip("peft")
    model, shape = decoder("LlamaConfig")
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(model, config)
    adapter, lengths = flops.Adapter(4, ("q", "down")), flops.Lengths.of([LENGTH] * ROWS)
    assert adapted.get_nb_trainable_parameters()[0] == adapter.parameters(shape)
    assert counted(adapted, backward=True) == pytest.approx(
        flops.training(shape, lengths, adapter, full=True), rel=0.02
    )


def test_encoders_see_both_ways_and_have_no_gate() -> None:
    config = transformers.BertConfig(**SIZES, attn_implementation="eager")
    model = transformers.AutoModel.from_config(config, add_pooling_layer=False)
    shape = flops.of_config(config.to_dict(), "bert", head=False)
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(input_ids=torch.ones(ROWS, LENGTH, dtype=torch.long))
    assert counter.get_total_flops() == flops.forward(shape, flops.Lengths.of([LENGTH] * ROWS))


def test_generating_with_a_cache_is_torchs() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model, shape = decoder("LlamaConfig")
    ids = torch.ones(1, LENGTH, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.generate(ids, max_new_tokens=6, min_new_tokens=6, do_sample=False, pad_token_id=0)
    by_module = counter.get_flop_counts()
    total = counter.get_total_flops() - sum(
        sum(ops.values()) for name, ops in by_module.items() if name.rpartition(".")[2].startswith("rotary")
    )
    hidden = (
        shape.layers * 4 * shape.heads * shape.head_dim * (LENGTH * (LENGTH - 1) // 2)
    )  # masked pairs of the prompt
    assert total - hidden == flops.generation(shape, flops.Lengths.of([LENGTH]), 6)


def test_a_causal_mask_halves_and_a_window_bounds_attention() -> None:
    shape = flops.Shape(2, 8, 2, 2, 4, 16, True, 32)
    lengths = flops.Lengths.of([10, 4])
    assert flops.attention_pairs(shape, lengths) == 2 * (55 + 10)
    assert flops.attention_pairs(shape, lengths, full=True) == 2 * 116
    local = flops.Shape(2, 8, 2, 2, 4, 16, True, 32, windows=(0, 3))
    one = flops.Lengths.of([10])
    assert flops.attention_pairs(local, one) == 55 + sum(min(k, 3) for k in range(1, 11))
    assert flops.attention_pairs(local, flops.Lengths()) == 0


def test_a_real_size_by_hand() -> None:
    """Qwen3-1.7B: 1.72 billion parameters, 2 · 1.7e9 operations a token and little attention at 1,000 tokens."""
    values = {
        "model_type": "qwen3", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 8,
        "head_dim": 128, "num_hidden_layers": 28, "intermediate_size": 6144, "vocab_size": 151936,
    }  # fmt: skip
    shape = flops.of_config(values, "qwen3")
    assert shape.parameters == pytest.approx(1.7205e9, rel=1e-3)
    per_token = flops.forward(shape, flops.Lengths.of([1000])) / 1000
    assert per_token == pytest.approx(2 * shape.parameters, rel=0.08)


def test_windows_of_the_families() -> None:
    gemma = transformers.Gemma3TextConfig(**SIZES | {"num_hidden_layers": 6}, sliding_window=7).to_dict()
    assert flops.of_config(gemma, "g").windows == (7, 7, 7, 7, 7, 0)
    qwen = transformers.Qwen3Config(**SIZES).to_dict()
    assert not any(flops.of_config(qwen, "q").windows)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "not the configuration"),
        ('{"hidden_size": 0, "num_attention_heads": 0}', "not the configuration"),
        (json.dumps(SIZES | {"hidden_size": "many"}), "not the configuration"),
        (json.dumps(SIZES | {"num_hidden_layers": -1}), "at least 1"),
        (json.dumps(SIZES | {"num_experts": 8}), "mixture of experts"),
    ],
)
def test_a_configuration_that_cannot_be_counted_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ItaMedError, match=message):
        flops.read_config(tmp_path)
    with pytest.raises(ItaMedError, match="is missing"):
        flops.read_config(tmp_path / "nowhere")
