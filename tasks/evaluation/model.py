"""The model of a run: loaded as lm-eval loads it, and told apart from every other by name, revision and weights."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ita_med.errors import ItaMedError

PACKAGES = ("lm_eval", "datasets", "transformers", "tokenizers", "torch", "peft", "vllm", "llguidance", "numpy")
TEMPLATE_SETTINGS = {"date_string": "26 Jul 2024", "enable_thinking": False}
"""Chat templates that print the day or a thinking block are pinned: Llama-3.2 reads the first, Qwen3 the second."""
WEIGHTS = {".safetensors", ".bin", ".gguf", ".json", ".jinja", ".model", ".txt", ".pt"}
SLOWER = 2.0
CPU_BATCH, GPU_BATCH = 16, 64
"""For the batch size "auto": lm-eval's own search takes minutes on a CPU, and the engine halves what is too much."""


def load(
    name: str, model_args: str, *, batch_size: str, device: str | None, seed: int, constrained: bool = False
) -> Any:
    """An lm-eval model; one line instead of a stack trace for a type, an extra or a folder that is not there.

    constrained: vLLM gets the backend of structured outputs that keeps to our separators, unless another one is named.
    """
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # else a page of traces for each request that fails
    if (not sys.stderr.isatty() or "completions" in name) and not name.startswith("vllm"):
        # vLLM divides by the time that its own bar has been shown
        os.environ.setdefault("TQDM_DISABLE", "1")  # read when tqdm is first imported
    cls = _class(name)
    random.seed(seed)
    more: dict[str, Any] = {"batch_size": batch_size, "device": device}
    if constrained and name.startswith("vllm") and "structured_outputs_config" not in arguments(model_args):
        more["structured_outputs_config"] = {"backend": "guidance"}
    try:
        lm = cls.create_from_arg_string(model_args, more)
    except OSError as error:
        raise ItaMedError(
            f"the model {arguments(model_args).get('pretrained', name)} cannot be loaded: {error}"
        ) from error
    except TypeError as error:
        raise ItaMedError(f"--model {name} --model_args {model_args}: {error}") from error
    except ImportError as error:
        raise _needs_more(name, error) from error
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
    if getattr(lm, "batch_size_per_gpu", None) == "auto" and hasattr(lm, "tok_batch_encode"):
        lm.batch_size_per_gpu = CPU_BATCH if lm.device.type == "cpu" else GPU_BATCH
    if slower := slow_numbers(getattr(lm, "model", None)):
        print(f"ita-med: {slower}", file=sys.stderr)
    if isinstance(own := getattr(lm, "chat_template_args", None), dict):
        lm.chat_template_args = TEMPLATE_SETTINGS | own
        if name.startswith(("vllm", "trtllm")):  # these hand the second one over apart
            lm.chat_template_args.pop("enable_thinking")
            lm.enable_thinking = bool(lm.enable_thinking)
    return lm


def slow_numbers(model: Any) -> str:
    """A warning where the model's 16-bit numbers are slower than float32, as on CPUs without instructions for them;
    measured in a few milliseconds."""
    torch = sys.modules.get("torch")
    dtype = getattr(model, "dtype", None)
    if torch is None or dtype not in (torch.bfloat16, torch.float16) or model.device.type != "cpu":
        return ""
    ratio = _product_seconds(dtype) / _product_seconds(torch.float32)
    if ratio < SLOWER:
        return ""
    kind = str(dtype).removeprefix("torch.")
    return f"this CPU multiplies {ratio:.0f} times slower in {kind} than in float32; use --model_args …,dtype=float32"


def _product_seconds(dtype: Any) -> float:
    """The shortest of three times of a matrix product."""
    import torch

    a = torch.ones(192, 192, dtype=dtype)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        torch.mm(a, a)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _class(name: str) -> Any:
    from lm_eval.api.registry import get_model

    if name == "baseline":
        from ita_med.tasks.baselines import lm  # noqa: F401  registers the model
    try:
        return get_model(name)
    except ValueError as error:
        raise ItaMedError(
            f'no model type is called "{name}"; common ones: hf, vllm, local-completions, baseline'
        ) from error
    except ImportError as error:
        raise _needs_more(name, error) from error


def _needs_more(name: str, error: ImportError) -> ItaMedError:
    extra = "vllm" if name == "vllm" else "api" if "completions" in name else "hf"
    return ItaMedError(f"the model type {name} needs more packages ({error}): pip install 'ita-med[{extra}]'")


def arguments(model_args: str) -> dict[str, Any]:
    """ "a=1,b=x" as lm-eval reads it."""
    from lm_eval.utils import simple_parse_args_string

    try:
        found: dict[str, Any] = simple_parse_args_string(model_args)
    except ValueError as error:
        raise ItaMedError(f'--model_args "{model_args}": expected KEY=VALUE,KEY=VALUE') from error
    return found


def max_length(lm: Any, model_args: str) -> int | None:
    """Tokens of prompt and answer that the model takes; None where only its server knows."""
    if "_concurrent" in vars(lm):  # a server: lm-eval's default of 2,048 says nothing about it
        given = arguments(model_args).get("max_length")
        return int(given) if given else None
    found = getattr(lm, "max_length", None)
    return found if isinstance(found, int) else None


def public_name(name: str, given: dict[str, Any]) -> str:
    """The model's name without the folders of this machine."""
    name = str(given.get("pretrained") or given.get("model") or given.get("kind") or name)
    return Path(name).name if Path(name).is_absolute() else name


def identity(lm: Any, name: str, model_args: str, template: str) -> dict[str, Any]:
    """What answers depend on, beside the prompt: model, revision or weights, adapter, dtype, template, versions."""
    given = arguments(model_args)
    model = getattr(lm, "model", None)
    main = given.get("pretrained") or given.get("model")
    adapter = given.get("peft")
    return {
        "type": name,
        "model": public_name(name, given),
        **_pinned(main, given.get("revision", "main")),
        "adapter": {"name": public_name("", {"model": adapter}), **_pinned(adapter, "main")} if adapter else None,
        "dtype": str(getattr(model, "dtype", None) or given.get("dtype", "")).removeprefix("torch."),
        "chat_template_sha256": hashlib.sha256(template.encode()).hexdigest() if template else None,
        "backend": {p: v for p, v in versions().items() if p not in ("datasets", "numpy")},
    }


def _pinned(name: Any, revision: str) -> dict[str, str]:
    """The commit of a Hub repository, or the digest of a local folder."""
    if not isinstance(name, str) or not name:
        return {}
    if Path(name).is_dir():
        return {"weights_sha256": folder_sha256(Path(name))}
    from huggingface_hub import try_to_load_from_cache

    for file in ("config.json", "adapter_config.json"):
        try:
            found = try_to_load_from_cache(name, file, revision=revision)
        except ValueError:  # no name of a repository: a model behind a server
            return {"revision": revision} if revision != "main" else {}
        if isinstance(found, str):
            return {"revision": Path(found).parent.name}
    return {"revision": revision}


def folder_sha256(folder: Path) -> str:
    """One sha256 for the weights, settings and tokenizer of a local folder."""

    def one(path: Path) -> str:
        with path.open("rb") as file:
            return f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n"

    files = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS and path.is_file())
    with ThreadPoolExecutor(4) as pool:
        return hashlib.sha256("".join(pool.map(one, files)).encode()).hexdigest()


def chat_template(lm: Any) -> str:
    """The text of the chat template, or ""."""
    try:
        return str(lm.chat_template(True) or "")
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return ""


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Package -> its version, of those that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
