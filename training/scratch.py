"""Models from scratch: a tokenizer learned from the corpus, and random weights in a small architecture.

So that "from scratch", "adapted" (further pre-training of a general model) and "general" can be compared on one corpus.
"""

from __future__ import annotations

import shutil
import string
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.training.recipe import Recipe, Scratch

ENCODERS = ("bert", "modernbert")
SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
END = "<|endoftext|>"


def make(recipe: Recipe, texts: Iterable[str], folder: Path) -> None:
    """Write the untrained model and its tokenizer to `folder`, whole or not at all."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, set_seed

    assert recipe.model.scratch is not None
    s = recipe.model.scratch
    tokenizer = train_tokenizer(s, _first(texts, s.tokenizer_characters), recipe.data.max_length)
    set_seed(recipe.train.seed)
    kind = AutoModelForMaskedLM if s.architecture in ENCODERS else AutoModelForCausalLM
    model = kind.from_config(config(recipe, len(tokenizer)))
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def config(recipe: Recipe, vocabulary: int | None = None) -> Any:
    """The architecture; vocabulary: what the tokenizer has in the end, which a small corpus may not fill."""
    import transformers

    assert recipe.model.scratch is not None
    s = recipe.model.scratch
    sizes: dict[str, Any] = {
        "vocab_size": vocabulary or s.vocabulary,
        "hidden_size": s.hidden,
        "num_hidden_layers": s.layers,
        "num_attention_heads": s.heads,
        "intermediate_size": s.intermediate,
        "max_position_embeddings": recipe.data.max_length,
    }
    try:
        match s.architecture:
            case "bert":
                return transformers.BertConfig(**sizes, pad_token_id=0)
            case "modernbert":
                ids: dict[str, Any] = {
                    "pad_token_id": 0,
                    "cls_token_id": 2,
                    "sep_token_id": 3,
                    "bos_token_id": 2,
                    "eos_token_id": 3,
                }
                return transformers.ModernBertConfig(**sizes, **{f"{name}_token_id": n for name, n in ids.items()})
            case _:
                return transformers.LlamaConfig(
                    **sizes, num_key_value_heads=s.heads, tie_word_embeddings=True, bos_token_id=None,
                    eos_token_id=0, pad_token_id=0,
                )  # fmt: skip
    except ValueError as error:
        raise ItaMedError(f"{recipe.name}: model.scratch: {error}") from error


def train_tokenizer(s: Scratch, texts: Iterable[str], max_length: int) -> Any:
    """WordPiece with case and accents for encoders, byte-level BPE for decoders."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    if s.architecture not in ENCODERS:
        bpe = Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bpe.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        bpe.train_from_iterator(
            texts,
            trainers.BpeTrainer(
                vocab_size=s.vocabulary, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
            ),
        )
        return PreTrainedTokenizerFast(
            tokenizer_object=bpe, eos_token=END, pad_token=END, model_max_length=max_length,
            model_input_names=["input_ids", "attention_mask"],
        )  # fmt: skip
    pieces = Tokenizer(models.WordPiece(unk_token=SPECIAL["unk_token"]))
    pieces.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces.decoder = decoders.WordPiece()
    special = list(SPECIAL.values())
    pieces.train_from_iterator(
        texts,
        trainers.WordPieceTrainer(
            vocab_size=s.vocabulary,
            special_tokens=special,
            initial_alphabet=list(string.digits + string.ascii_letters + string.punctuation),
            show_progress=False,
        ),
    )
    ends = [(token, special.index(token)) for token in (SPECIAL["cls_token"], SPECIAL["sep_token"])]
    second = "$B:1 [SEP]:1" if s.architecture == "bert" else "$B [SEP]"
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=f"[CLS] $A [SEP] {second}", special_tokens=ends
    )
    types = ["token_type_ids"] if s.architecture == "bert" else []
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces, model_max_length=max_length,
        model_input_names=["input_ids", *types, "attention_mask"], **SPECIAL,
    )  # fmt: skip


def _first(texts: Iterable[str], characters: int) -> Iterator[str]:
    """The beginning of a corpus: a vocabulary needs no more."""
    for text in texts:
        if characters <= 0:
            return
        characters -= len(text)
        yield text
