"""How large a run will be, before anything is downloaded or written: parameters, memory, disk, time.

The formulas are explained in docs/training.md.
"""

from __future__ import annotations

import math
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.training.recipe import Recipe

GIB = 2**30
CHARACTERS_PER_TOKEN = 3.3
"""Italian clinical text: 85 million characters of E3C layer 3, 2.2 tokens of Qwen3 per word."""
UTILISATION = 0.4
"""Share of the device's matrix speed that training reaches."""
BYTES_FROM_NAME = 4
KINDS = {"encoder": ("an encoder", "AutoModel"), "mlm": ("a masked language model", "AutoModelForMaskedLM")}
"""Method -> what its model is; all others train causal language models."""
ENCODERS = {"small": (30_000_000, 384, 12), "large": (340_000_000, 1024, 24), "base": (110_000_000, 768, 12)}
"""Sizes of BERT by the word in their name; "base" where there is none."""
CHECKPOINTS = 3
"""Two are kept, and the third is being written."""


@dataclass
class Size:
    """A model. source: "config", or "name" where no configuration is at hand; then hidden and layers are guessed."""

    parameters: int
    trainable: int
    hidden: int
    layers: int
    vocabulary: int
    source: str


@dataclass
class Estimate:
    """tokens: of one pass over the data; steps: of the whole run; memory_gib and disk_gib: of one process."""

    size: Size
    tokens: int
    tokens_counted: bool
    steps: int
    trained_tokens: int
    memory: dict[str, float]
    disk_gib: float
    flops: float
    seconds: float | None
    device: str

    @property
    def memory_gib(self) -> float:
        return sum(self.memory.values())

    @property
    def least_gib(self) -> float:
        """What is needed whatever the batch: the part of the estimate that is certain."""
        return self.memory["weights"] + self.memory["gradients and optimiser"]


def local_file(recipe: Recipe, name: str) -> Path | None:
    """A file of the model if it is here: in the named folder or in the Hub's cache."""
    folder = Path(recipe.model.place)
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(recipe.model.id, name, revision=recipe.model.revision)
    except ValueError as error:
        raise ItaMedError(f"{recipe.model.place} is neither a folder nor a name on the Hub (ORG/NAME)") from error
    return Path(found) if isinstance(found, str) else None


def tokenizer(recipe: Recipe) -> Any | None:
    """The model's tokenizer if it is here; nothing is downloaded."""
    if local_file(recipe, "tokenizer_config.json") is None:
        return None
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(recipe.model.place, revision=recipe.model.revision, local_files_only=True)


def size(recipe: Recipe) -> Size:
    """Exact where the model's configuration is here (nothing is allocated), else from a name such as "1.7B"."""
    if recipe.model.scratch is not None:
        from ita_med.training import scratch

        return _from_config(recipe, scratch.config(recipe))
    path = local_file(recipe, "config.json")
    return _from_name(recipe) if path is None else _from_config(recipe, path.parent)


def _from_config(recipe: Recipe, found: Any) -> Size:
    """found: a configuration, or the folder that holds one."""
    import torch
    import transformers

    from ita_med.training.sft import lora

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
    return Size(parameters, trainable, text.hidden_size, text.num_hidden_layers, text.vocab_size, "config")


def _from_name(recipe: Recipe) -> Size:
    match = re.search(r"(\d+(?:\.\d+)?)\s*([bBmM])(?![a-zA-Z])", recipe.model.id)
    if match is None and recipe.method in KINDS:
        parameters, hidden, layers = next(
            (size for name, size in ENCODERS.items() if name in recipe.model.id.lower()), ENCODERS["base"]
        )
        return Size(parameters, parameters, hidden, layers, 32_000, "name")
    if match is None:
        raise ItaMedError(f'{recipe.model.id} is not on this machine, and its name tells no size such as "1.7B"')
    parameters = int(float(match[1]) * (10**9 if match[2] in "bB" else 10**6))
    layers = 24
    hidden = round(math.sqrt(parameters / (12 * layers)) / 64) * 64
    # seven matrices per layer, each r x (in + out), with an inner width of three to four times the hidden one
    trainable = layers * recipe.lora.r * 24 * hidden if recipe.lora else parameters
    return Size(parameters, trainable, hidden, layers, 150_000, "name")


def estimate(recipe: Recipe, tokens: int, *, counted: bool, rows: int | None, processes: int = 1) -> Estimate:
    """tokens: of one pass over the data; rows: examples of one pass, None where documents are packed."""
    t, model = recipe.train, size(recipe)
    sequences = rows if rows is not None and t.packing == "none" else max(1, -(-tokens // recipe.data.max_length))
    per_pass = max(1, -(-sequences // (t.batch_size * t.gradient_accumulation * processes)))
    steps = t.max_steps or max(1, math.ceil(t.epochs * per_pass))
    trained = int(tokens * steps / per_pass)
    flops = 6 * model.parameters * trained
    speed, device = matrix_speed(computes_in_16_bits(recipe))
    disk = CHECKPOINTS * 12 * model.trainable + 4 * model.trainable
    if local_file(recipe, "config.json") is None:
        disk += BYTES_FROM_NAME * model.parameters
    return Estimate(
        model, tokens, counted, steps, trained, memory(recipe, model), disk / GIB, flops,
        flops / (speed * UTILISATION * processes) if speed else None, device,
    )  # fmt: skip


def memory(recipe: Recipe, model: Size) -> dict[str, float]:
    """GiB by what holds it, for one process that shares nothing with others."""
    small = recipe.lora is not None and recipe.model.dtype == "bfloat16" and has_gpu()
    one_by_one = recipe.train.packing != "none" and not has_gpu()
    in_batch = recipe.data.max_length * (1 if one_by_one else recipe.train.batch_size)
    per_token = 34 * model.hidden * (1 if has_gpu() else 2)
    stored = 2 * model.hidden * model.layers * (1 if has_gpu() else 2)
    checkpointing = recipe.train.gradient_checkpointing and has_gpu()
    activations = in_batch * (stored + per_token if checkpointing else per_token * model.layers)
    logits = 0 if has_gpu() else 2 * 4 * in_batch * model.vocabulary
    return {
        "weights": model.parameters * (2 if small else 4) / GIB,
        "gradients and optimiser": model.trainable * 12 / GIB + (model.trainable * 4 / GIB if recipe.lora else 0),
        "activations": activations / GIB,
        "logits": logits / GIB,
    }


def has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def computes_in_16_bits(recipe: Recipe) -> bool:
    """Whether products are computed in bfloat16; a CPU that has no instructions for it would be slower with it."""
    import torch

    cpu = torch.cpu.get_capabilities()
    able = has_gpu() or cpu.get("avx512_bf16", False) or cpu.get("amx_tile", False)
    return recipe.model.dtype == "bfloat16" and bool(able)


def matrix_speed(half: bool, seconds: float = 0.1) -> tuple[float, str]:
    """Floating-point operations per second of a large matrix product, measured, and the device's name.

    half: in bfloat16, else in float32.
    """
    import torch

    gpu = has_gpu()
    device, n = ("cuda", 8192) if gpu else ("cpu", 512)
    dtype = torch.bfloat16 if half else torch.float32
    a = torch.ones(n, n, device=device, dtype=dtype)
    b = a @ a
    done, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        torch.mm(a, a, out=b)
        if gpu:
            torch.cuda.synchronize()
        done += 1
    return 2 * n**3 * done / passed, torch.cuda.get_device_name() if gpu else f"CPU, {torch.get_num_threads()} threads"


def free_memory() -> float | None:
    """GiB that this process may still take, on the GPU or the machine; None where that is not known."""
    if has_gpu():
        import torch

        return float(torch.cuda.mem_get_info()[0]) / GIB
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024 / GIB
    except (OSError, KeyError, ValueError):
        return None


def free_disk(out: Path) -> float:
    """GiB that are free where the run will be written."""
    import shutil

    place = out.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free / GIB


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this is the process that writes and speaks."""
    return os.environ.get("RANK", "0") == "0"
