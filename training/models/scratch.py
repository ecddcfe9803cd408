"""Models from scratch: a tokenizer learned from the corpus, and random weights in a small architecture.

So that "from scratch", "adapted" (further pre-training of a general model) and "general" can be compared on one corpus.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

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
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()
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
    match s.architecture:
        case "bert":
            return transformers.BertConfig(**sizes, pad_token_id=0)
        case "modernbert":
            places = {"pad": 0, "cls": 2, "bos": 2, "sep": 3, "eos": 3}
            ids: dict[str, Any] = {f"{name}_token_id": place for name, place in places.items()}
            return transformers.ModernBertConfig(**sizes, **ids)
        case _:
            return transformers.LlamaConfig(
                **sizes, num_key_value_heads=s.heads, tie_word_embeddings=True, bos_token_id=None,
                eos_token_id=0, pad_token_id=0,
            )  # fmt: skip


def train_tokenizer(s: Scratch, texts: Iterable[str], max_length: int) -> Any:
    """Byte-level BPE, in which nothing is unknown. For encoders no token holds two words, or a word and a mark.

    (WordPiece and Unigram are not learned alike twice: the trainers of `tokenizers` number pieces in a random order.)
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    encoder = s.architecture in ENCODERS
    special = list(SPECIAL.values()) if encoder else [END]
    made = Tokenizer(models.BPE())
    made.decoder = decoders.ByteLevel()
    if encoder:
        made.normalizer = normalizers.NFC()
        words = pre_tokenizers.Split(Regex(r" ?\w+| ?[^\w\s]|\s"), "isolated")
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
    else:
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=s.vocabulary,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    names, types = {"eos_token": END, "pad_token": END}, []
    if encoder:
        names, types = SPECIAL, ["token_type_ids"] if s.architecture == "bert" else []
        ends = [(token, special.index(token)) for token in (SPECIAL["cls_token"], SPECIAL["sep_token"])]
        second = "$B:1 [SEP]:1" if types else "$B [SEP]"
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair=f"[CLS] $A [SEP] {second}", special_tokens=ends
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, model_max_length=max_length,
        model_input_names=["input_ids", *types, "attention_mask"], **names,
    )  # fmt: skip


def _first(texts: Iterable[str], characters: int) -> Iterator[str]:
    """The beginning of a corpus: a vocabulary needs no more."""
    for text in texts:
        if characters <= 0:
            return
        characters -= len(text)
        yield text
