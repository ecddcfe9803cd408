"""The insides of TRL (pinned to one minor version, in which they were read: 1.16)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ita_med.borrowed import Borrowed, there, warn

USE_TRITON = Borrowed(
    "trl",
    "trl.trainer.utils:_use_triton",
    "on a CPU the model's head scores the prompts too, so training is slower (its result is the same); "
    "install trl~=1.16.0",
)
PROFILES = Borrowed(
    "trl",
    "folder accelerate_configs",
    "--accelerate takes no names such as fsdp2; give it a file of accelerate's settings",
)
BORROWED = (USE_TRITON, PROFILES)


@contextmanager
def only_labelled_positions() -> Iterator[None]:
    """Meanwhile TRL's fused head leaves out positions without a label on a CPU too, as it does on a GPU.

    `trl.trainer.utils.add_fused_lm_head` asks `_use_triton` whether the device has a compiler that minds shapes which
    change from batch to batch; nothing else in that module asks. The answer is put back at the end.
    """
    if not there(USE_TRITON):
        yield
        return
    from trl.trainer import utils

    own: Any = utils._use_triton
    utils._use_triton = lambda device: device.type == "cpu" or own(device)
    try:
        yield
    finally:
        utils._use_triton = own


def accelerate_profiles() -> dict[str, Path]:
    """Name -> file of the settings of accelerate that come with TRL (`trl sft --accelerate_config NAME`)."""
    from importlib.util import find_spec

    spec = find_spec("trl")
    folder = Path(str(spec.origin)).parent / "accelerate_configs" if spec else Path()
    found = {path.stem: path for path in sorted(folder.glob("*.yaml"))} if spec else {}
    if not found:
        warn(PROFILES)
    return found
