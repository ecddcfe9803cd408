"""Chat templates: that of a model, and the settings with which every run renders it."""

from __future__ import annotations

from typing import Any

TEMPLATE_SETTINGS = {"date_string": "26 Jul 2024", "enable_thinking": False}
"""Chat templates that print the day or a thinking block are pinned: Llama-3.2 reads the first, Qwen3 the second."""


def chat_template(lm: Any) -> str:
    """The text of a model's chat template; "" where it has none."""
    try:
        return str(lm.chat_template(True) or "")
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return ""
