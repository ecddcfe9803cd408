"""Which model answered: told apart from every other by name, revision or weights, adapter, numbers and template."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ita_med.tasks.evaluation.model import arguments
from ita_med.tasks.evaluation.package_versions import versions

WEIGHTS = {".safetensors", ".bin", ".gguf", ".json", ".jinja", ".model", ".txt", ".pt"}
"""The files of a local folder that count as the model."""


def public_name(name: str, given: dict[str, Any]) -> str:
    """The model's name without the folders of this machine."""
    name = str(given.get("pretrained") or given.get("model") or given.get("kind") or name)
    return Path(name).name if Path(name).is_absolute() else name


def identity_of(lm: Any, name: str, model_args: str, template: str) -> dict[str, Any]:
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
