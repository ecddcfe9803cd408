"""The insides of lm-eval (pinned to one version, in which they were read: 0.4.13)."""

from __future__ import annotations

import json
import sys
from typing import Any

from ita_med.borrowed import Borrowed, require, warn

SAMPLING_PARAMS = Borrowed(
    "lm_eval",
    "lm_eval.models.vllm_causallms:SamplingParams",
    "vllm cannot be told what an answer may be; leave --constrained out, use --model hf, or install lm-eval==0.4.13",
)
BATCH_SIZE = Borrowed(
    "lm_eval",
    "attribute batch_size_per_gpu of a model of type hf",
    "it searches its batch size itself, which takes minutes; give --batch_size N",
)
TEMPLATE = Borrowed(
    "lm_eval",
    "attribute chat_template_args of a model of type hf or vllm",
    "a chat template may print today's date or a thinking block, so that prompts differ from one day to the next; "
    "install lm-eval==0.4.13",
)
BORROWED = (SAMPLING_PARAMS, BATCH_SIZE, TEMPLATE)
LOCAL = ("lm_eval.models.huggingface", "lm_eval.models.vllm_causallms")
"""Modules of the models whose batches and templates we set."""


def set_automatic_batch_size(lm: Any, *, cpu: int, gpu: int) -> None:
    """Set the batch size of a model of type hf, or of one derived from it, that was asked to find it ("auto")."""
    asked = getattr(lm, "batch_size_per_gpu", None)
    if asked is None and type(lm).__module__ == LOCAL[0]:
        warn(BATCH_SIZE)
    if asked == "auto" and hasattr(lm, "tok_batch_encode"):
        lm.batch_size_per_gpu = cpu if lm.device.type == "cpu" else gpu


def set_template_arguments(lm: Any, name: str, pinned: dict[str, Any]) -> None:
    """Hand the chat template of a model of type `name` the pinned arguments, beside those that the user gave."""
    own = getattr(lm, "chat_template_args", None)
    if not isinstance(own, dict):
        if type(lm).__module__ in LOCAL:
            warn(TEMPLATE)
        return
    lm.chat_template_args = pinned | own
    if name.startswith(("vllm", "trtllm")):  # these hand this one over apart
        lm.chat_template_args.pop("enable_thinking")
        lm.enable_thinking = bool(lm.enable_thinking)


def let_vllm_take_text() -> None:
    """Let lm-eval's vllm backend make StructuredOutputsParams of text, in the last moment before vLLM sees it.

    The object itself cannot stand in the settings: lm-eval's cache has no JSON for it, and vLLM refuses a dictionary.
    """
    backend: Any = sys.modules.get("lm_eval.models.vllm_causallms")
    if backend is None:
        return
    require(SAMPLING_PARAMS)
    if isinstance(backend.SamplingParams, _TakesText):
        return
    backend.SamplingParams = _TakesText(backend.SamplingParams)


class _TakesText:
    """vLLM's SamplingParams, whose structured_outputs may be the JSON of a schema."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def __call__(self, *args: Any, structured_outputs: Any = None, **options: Any) -> Any:
        from vllm.sampling_params import StructuredOutputsParams

        if isinstance(structured_outputs, str):
            structured_outputs = StructuredOutputsParams(json=json.loads(structured_outputs))
        return self.make(*args, structured_outputs=structured_outputs, **options)
