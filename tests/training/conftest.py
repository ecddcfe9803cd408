"""Models of the families' real kinds, shrunk to two layers, with small vocabularies and the real chat templates."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ita_med import catalogue, sources
from ita_med.tasks.benchmark.task_data import load
from ita_med.training.data.prompt_rows import rows

ENDS = {
    "qwen3": ("<|im_end|>", "<|endoftext|>", ["<|im_start|>", "<think>", "</think>"], "qwen3.jinja"),
    "llama3": ("<|eot_id|>", "<|end_of_text|>", ["<|start_header_id|>", "<|end_header_id|>"], "llama3_2.jinja"),
    "gemma3": ("<end_of_turn>", "<eos>", ["<start_of_turn>"], "gemma3.jinja"),
    "smollm2": ("<|im_end|>", "<|endoftext|>", ["<|im_start|>"], ""),
}
"""Family -> end of a turn, end of a document, other signs of the template, the template that TRL keeps."""
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BOS = {"llama3": "<|begin_of_text|>", "gemma3": "<bos>"}


@cache
def sample_texts() -> list[str]:
    """The training rows of all tasks on the embedded sample, as texts."""
    found = []
    for task in catalogue.tasks(ready=True):
        if task.distribution == "id":
            data = load(task.id, sources.EMBEDDED)
            found += [row["prompt"] + row["completion"] for row in rows(data, chat=False)]
    return found


def tiny_tokenizer(family: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    turn, document, signs, template = ENDS[family]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    own = [BOS[family]] if family in BOS else []
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=[*own, turn, document, *signs],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample_texts(), trainer)
    if own:
        start = own[0]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{start} $A", special_tokens=[(start, tokenizer.token_to_id(start))]
        )
    more = {"bos_token": own[0]} if own else {}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=turn, pad_token=document, **more)
    trl = pytest.importorskip("trl")
    folder = Path(str(trl.__file__)).parent / "chat_templates"
    fast.chat_template = (folder / template).read_text("utf-8") if template else CHATML
    return fast


def tiny_config(family: str, tokenizer: Any) -> Any:
    from transformers import Gemma3TextConfig, LlamaConfig, Qwen3Config

    kind = {"qwen3": Qwen3Config, "gemma3": Gemma3TextConfig}.get(family, LlamaConfig)
    more: dict[str, Any] = {"query_pre_attn_scalar": 16, "sliding_window": 64} if family == "gemma3" else {}
    return kind(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=4096,
        initializer_range=0.15,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        **more,
    )


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Family -> the folder of its tiny model."""
    torch = pytest.importorskip("torch")
    for module in ("trl", "peft", "accelerate"):
        pytest.importorskip(module)
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("families")

    @cache
    def make(family: str) -> Path:
        from transformers import AutoModelForCausalLM

        tokenizer = tiny_tokenizer(family)
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(tiny_config(family, tokenizer))
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        model.save_pretrained(root / family)
        tokenizer.save_pretrained(root / family)
        return root / family

    return make


@cache
def _word_pieces() -> str:
    """A WordPiece tokenizer as JSON: an object would keep the truncation that a test has asked of it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    from ita_med.training.models.scratch import SPECIAL

    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = list(SPECIAL.values())
    made.train_from_iterator(
        sample_texts(),
        trainers.WordPieceTrainer(
            vocab_size=1500, special_tokens=special, initial_alphabet=list("@*#^"), show_progress=False
        ),
    )
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return str(made.to_str())


def _word_piece() -> Any:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    from ita_med.training.models.scratch import SPECIAL

    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_word_pieces()), model_input_names=inputs, **SPECIAL
    )


def tiny_encoder(kind: str) -> tuple[Any, Any]:
    """(tokenizer, configuration) of the kinds of the encoder recipes: WordPiece, Unigram, byte-level BPE, our own."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    from ita_med.training.models import scratch
    from ita_med.training.recipe import Scratch

    sizes: dict[str, Any] = {
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128,
        "max_position_embeddings": 600,
    }  # fmt: skip
    if kind == "scratch":
        tokenizer = scratch.train_tokenizer(Scratch("bert", 2, 64, 4, 128, 1500), sample_texts(), 512)
        return tokenizer, transformers.BertConfig(vocab_size=len(tokenizer), pad_token_id=0, **sizes)
    if kind == "bert":
        return _word_piece(), transformers.BertConfig(vocab_size=len(_word_piece()), pad_token_id=0, **sizes)
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    start, end = names[0], names[2]
    made = Tokenizer(models.Unigram() if kind == "xlm-roberta" else models.BPE())
    if kind == "xlm-roberta":
        # few texts teach "febbre," as one piece; XLM-R's, which saw billions, has hardly any
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation("contiguous")]
        )
        trainer: Any = trainers.UnigramTrainer(
            vocab_size=1500, special_tokens=names, unk_token="<unk>", initial_alphabet=list("@*#^"), show_progress=False
        )
    else:
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=1500, special_tokens=names, initial_alphabet=alphabet, show_progress=False
        )
    made.train_from_iterator(sample_texts(), trainer)
    made.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", pair=f"{start} $A {end} {end} $B {end}", special_tokens=[(start, 0), (end, 2)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, cls_token=start, bos_token=start, sep_token=end, eos_token=end, pad_token="<pad>",
        unk_token="<unk>", mask_token="<mask>", model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    family = {"xlm-roberta": transformers.XLMRobertaConfig, "modernbert": transformers.ModernBertConfig}[kind]
    ids = {"bos_token_id": 0, "cls_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "sep_token_id": 2}
    return tokenizer, family(vocab_size=len(tokenizer), **ids, **sizes)


@pytest.fixture(scope="session")
def tiny_encoders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Kind -> the folder of its tiny masked language model."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("accelerate")
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("encoders")

    @cache
    def make(kind: str) -> Path:
        from transformers import AutoModelForMaskedLM

        tokenizer, config = tiny_encoder(kind)
        torch.manual_seed(0)
        AutoModelForMaskedLM.from_config(config).save_pretrained(root / kind)
        tokenizer.save_pretrained(root / kind)
        return root / kind

    return make


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built corpus of 60 synthetic texts, some far longer than a sequence, as `ita-med corpus build` leaves it."""
    texts = [" ".join(sample_texts()[i::60])[: 150 + 200 * (i % 9)] for i in range(60)]
    return write_corpus(tmp_path_factory.mktemp("corpora") / "corpus", texts)


def write_corpus(folder: Path, texts: list[str]) -> Path:
    """A folder as `ita-med corpus build` leaves it."""
    import orjson
    import pyarrow.parquet as pq

    from ita_med.schema import TextExample, to_table

    (folder / "data").mkdir(parents=True)
    examples = [TextExample(f"t{i}", text, "sample", "CC0 1.0", "") for i, text in enumerate(texts)]
    for part in range(2):
        pq.write_table(to_table(examples[part::2], "text"), folder / "data" / f"train-{part:05}-of-00002.parquet")
    words, characters = sum(len(t.split()) for t in texts), sum(map(len, texts))
    report = {
        "total": {"written": {"documents": len(texts), "words": words, "characters": characters}},
        "sources": {"sample": {"CC0 1.0": {}}},
        "fingerprint": "0" * 64,
        "decontamination": {"checked": {"e3c/disorder/test": {}}, "found": {}},
        "inputs": [{"source": "sample", "from": "embedded"}],
    }
    (folder / "report.json").write_bytes(orjson.dumps(report))
    return folder
