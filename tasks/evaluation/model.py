"""The model of a run, loaded as lm-eval loads it."""

from __future__ import annotations

import logging
import os
import random
import sys
from typing import Any

from ita_med.borrowed import lm_eval_inside
from ita_med.errors import ItaMedError
from ita_med.tasks.evaluation.chat_template import TEMPLATE_SETTINGS
from ita_med.tasks.evaluation.cpu_speed import slow_numbers

CPU_BATCH, GPU_BATCH = 16, 64
"""For the batch size "auto": lm-eval's own search takes minutes on a CPU, and the engine halves what is too much."""


def load(
    name: str, model_args: str, *, batch_size: str, device: str | None, seed: int, constrained: bool = False
) -> Any:
    """An lm-eval model.

    Args:
        name: lm-eval's type of model, or "baseline".
        model_args: as lm-eval takes them, "a=1,b=x".
        batch_size: a number, or "auto".
        device: None: the type's own choice.
        seed: for models that draw.
        constrained: vLLM gets the backend of structured outputs that keeps to our separators, unless another one is
            named.

    Raises:
        ItaMedError: the type, a package or the model's files are not there, or it does not take the arguments.
    """
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # else a page of traces for each request that fails
    if (not sys.stderr.isatty() or "completions" in name) and not name.startswith("vllm"):
        # not for vLLM: without tqdm's clock its line of throughput divides by zero seconds
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
    lm_eval_inside.set_automatic_batch_size(lm, cpu=CPU_BATCH, gpu=GPU_BATCH)
    if slower := slow_numbers(getattr(lm, "model", None)):
        print(f"ita-med: {slower}", file=sys.stderr)
    lm_eval_inside.set_template_arguments(lm, name, TEMPLATE_SETTINGS)
    return lm


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
    """The arguments in "a=1,b=x", as lm-eval reads them; an ItaMedError where they have another form."""
    from lm_eval.utils import simple_parse_args_string

    try:
        found: dict[str, Any] = simple_parse_args_string(model_args)
    except ValueError as error:
        raise ItaMedError(f'--model_args "{model_args}": expected KEY=VALUE,KEY=VALUE') from error
    return found


def max_length(lm: Any, model_args: str) -> int | None:
    """Tokens of prompt and answer that the model takes; None where only its server knows."""
    api = sys.modules.get("lm_eval.models.api_models")
    if api is not None and isinstance(lm, api.TemplateAPI):  # lm-eval's default of 2,048 says nothing about a server
        given = arguments(model_args).get("max_length")
        return int(given) if given else None
    found = getattr(lm, "max_length", None)
    return found if isinstance(found, int) else None
