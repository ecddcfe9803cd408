"""How large a model is: exactly from its configuration, or guessed from its name."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.training.models import local_model, scratch
from ita_med.training.models.lora import lora
from ita_med.training.recipe import Recipe

KINDS = {"encoder": ("an encoder", "AutoModel"), "mlm": ("a masked language model", "AutoModelForMaskedLM")}
"""Method -> what its model is; all others train causal language models."""
ENCODERS = {"small": (30_000_000, 384, 12), "large": (340_000_000, 1024, 24), "base": (110_000_000, 768, 12)}
"""Sizes of BERT by the word in their name; "base" where there is none."""


@dataclass
class ModelSize:
    """The size of a model.

    Attributes:
        parameters: All of them, an adapter apart.
        trainable: Those that are trained.
        hidden: Width of the hidden states.
        layers: Number of layers.
        vocabulary: Number of tokens.
        source: "config", or "name" where no configuration is at hand; then hidden and layers are guessed.
    """

    parameters: int
    trainable: int
    hidden: int
    layers: int
    vocabulary: int
    source: str


def size(recipe: Recipe) -> ModelSize:
    """Exact where the model's configuration is here (nothing is allocated), else from a name such as "1.7B"."""
    if recipe.model.scratch is not None:
        return _from_config(recipe, scratch.config(recipe))
    path = local_model.file(recipe, "config.json")
    return _from_name(recipe) if path is None else _from_config(recipe, path.parent)


def _from_config(recipe: Recipe, found: Any) -> ModelSize:
    """The exact size; `found` is a configuration, or the folder that holds one."""
    import torch
    import transformers

    what, name = KINDS.get(recipe.method, ("a causal language model", "AutoModelForCausalLM"))
    try:
        config = transformers.AutoConfig.from_pretrained(found) if isinstance(found, Path) else found
        with torch.device("meta"):
            model = getattr(transformers, name).from_config(config)
    except (ValueError, KeyError, OSError) as error:
        raise ItaMedError(f"{recipe.model.id}: config.json is not of {what} ({error})") from error
    parameters = model.num_parameters()
    trainable = parameters
    if (adapter := lora(recipe)) is not None:
        from peft import get_peft_model

        try:
            trainable, _ = get_peft_model(model, adapter).get_nb_trainable_parameters()
        except ValueError as error:
            raise ItaMedError(f"{recipe.name}: lora.targets: {error}") from error
    text = config.get_text_config()
    return ModelSize(parameters, trainable, text.hidden_size, text.num_hidden_layers, text.vocab_size, "config")


def _from_name(recipe: Recipe) -> ModelSize:
    """A guess from a number such as "1.7B" or, of encoders, a word such as "base" in the model's id."""
    match = re.search(r"(\d+(?:\.\d+)?)\s*([bBmM])(?![a-zA-Z])", recipe.model.id)
    if match is None and recipe.method in KINDS:
        parameters, hidden, layers = next(
            (size for name, size in ENCODERS.items() if name in recipe.model.id.lower()), ENCODERS["base"]
        )
        return ModelSize(parameters, parameters, hidden, layers, 32_000, "name")
    if match is None:
        raise ItaMedError(f'{recipe.model.id} is not on this machine, and its name tells no size such as "1.7B"')
    parameters = int(float(match[1]) * (10**9 if match[2] in "bB" else 10**6))
    layers = 24
    hidden = round(math.sqrt(parameters / (12 * layers)) / 64) * 64
    # seven matrices per layer, each r x (in + out), with an inner width of three to four times the hidden one
    trainable = layers * recipe.lora.r * 24 * hidden if recipe.lora else parameters
    return ModelSize(parameters, trainable, hidden, layers, 150_000, "name")
