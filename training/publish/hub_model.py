"""Publish a trained model on the Hugging Face Hub: weights, tokenizer, card and results in one commit.

With merged weights the repository's root is a whole model, and the adapter lies in adapter/; an adapter alone lies in
the root; encoders lie in TASK/PART, as in the run. Nothing is sent that may not be, and no file names a folder of this
machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ita_med import upload
from ita_med.errors import ItaMedError
from ita_med.tasks.evaluation.chat_template import TEMPLATE_SETTINGS
from ita_med.training.publish import card, card_results
from ita_med.training.record import licences, run_folder
from ita_med.training.record.run_folder import ADAPTER_CONFIG
from ita_med.version import __version__

WEIGHTS = ("adapter_model.safetensors", "model.safetensors", "model-*.safetensors", "model.safetensors.index.json")
SETTINGS = (ADAPTER_CONFIG, "config.json", "generation_config.json", "part.json")
TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja",
)  # fmt: skip
ADAPTER = "adapter"
KINDS = ("all", "adapter", "merged")
EVAL_RESULTS = ".eval_results/ita_med.yaml"
BENCHMARK = "ita-med/ita-med"
"""The data set on the Hub whose leaderboard shows `.eval_results`."""
REPO_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
NOTICES = {
    "llama3.2": "Llama 3.2 is licensed under the Llama 3.2 Community License, Copyright © Meta Platforms, Inc. "
    "All Rights Reserved.",
    "gemma": "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms",
}
"""What these licences want beside every derived model."""

FilesToPublish = dict[str, Path | bytes]


@dataclass
class PublishedModel:
    """change: None in a dry run that could not ask the Hub. card: the README."""

    change: upload.Change | None
    files: FilesToPublish
    card: str


def publish(
    run: Path,
    repo: str,
    folders: Iterable[Path] = (),
    *,
    mirror: str | None = None,
    weights: str = "all",
    base: str | None = None,
    benchmark: str = BENCHMARK,
    permitted: Iterable[str] = (),
    allow_synthetic: bool = False,
    private: bool = False,
    dry_run: bool = False,
) -> PublishedModel:
    """Publish a finished run as ORG/NAME, or say with dry_run what would be sent.

    folders: submission folders of the model, of its base without it, or of floors; they are scored again where the
    gold data are at hand (mirror). weights: one of KINDS. base: the Hub id of the run that this one started from.
    benchmark: the data set that the results are entered for. permitted: data whose owners allow it by themselves.
    """
    if weights not in KINDS:
        raise ItaMedError(f"--weights is one of {', '.join(KINDS)}")
    if not REPO_ID.fullmatch(repo):
        raise ItaMedError(f'--to {repo}: expected ORG/NAME, as in "clinica/qwen3-clinico"')
    manifest = read(run)
    if manifest["synthetic"] and not allow_synthetic:
        raise ItaMedError(f"{run} was trained on the synthetic sample; --allow-synthetic publishes it, marked as such")
    found = licences.trained_on(manifest)
    licences.check(found, list(permitted))
    places = layout(run, weights, manifest)
    rows = card_results.read(list(folders), run, repo, manifest, mirror, synthetic=manifest["synthetic"])
    api = _api(repo, dry_run)
    of_base = _base(api, manifest, run, places, base)
    if (of_base.licence or "").startswith("llama") and not repo.partition("/")[2].startswith("Llama"):
        raise ItaMedError(f'--to {repo}: the licence of {of_base.name} wants a name that begins with "Llama"')
    text = card.card(repo, manifest, found, of_base, rows, list(places), sorted(permitted))
    files = {path: content for place, folder in places.items() for path, content in _files(folder, place, of_base)}
    files |= {run_folder.FINISHED: run / run_folder.FINISHED, "README.md": text.encode()}
    if notice := NOTICES.get(of_base.licence or ""):
        files["NOTICE"] = f"{notice}\n".encode()
    if entries := card_results.entries(rows, benchmark):
        files[EVAL_RESULTS] = entries
    _no_folders(files, run)
    if api is None:
        return PublishedModel(None, files, text)
    change = upload.put_files(
        api, repo, "model", files,
        message=f"{manifest['name']}, by ita-med {__version__}", stale=stale, private=private, dry_run=dry_run,
    )  # fmt: skip
    return PublishedModel(change, files, text)


def read(run: Path) -> dict[str, Any]:
    """The manifest of a finished run."""
    if (run / run_folder.STARTED).is_file() and not (run / run_folder.FINISHED).is_file():
        raise ItaMedError(f"{run} is unfinished: the command that started it goes on with it")
    if not (run / run_folder.FINISHED).is_file():
        raise ItaMedError(f"{run} holds no run of ita-med train (manifest.json is missing)")
    try:
        found: dict[str, Any] = json.loads((run / run_folder.FINISHED).read_text("utf-8"))
        found["recipe"]["train"], found["base"]["model"], found["licences"], found["synthetic"], found["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise ItaMedError(f"{run}/manifest.json is no manifest of ita-med train ({error})") from error
    return found


def layout(run: Path, weights: str, manifest: dict[str, Any]) -> dict[str, Path]:
    """Place in the repository ("" for its root) -> folder with a model or adapter."""
    if encoders := manifest.get("parts"):
        return {f"{task}/{part}": run / task / part for task, parts in encoders.items() for part in parts}
    adapter, merged = (run / ADAPTER_CONFIG).is_file(), (run / "merged" / "config.json").is_file()
    if not adapter:
        if not (run / "config.json").is_file():
            raise ItaMedError(f"{run} holds neither a model nor an adapter")
        if weights != "all":
            raise ItaMedError(f"--weights {weights}: {run} is a whole model, not an adapter")
        return {"": run}
    if weights == "merged" and not merged:
        raise ItaMedError(f"{run} has no merged weights: ita-med train … --merge writes them")
    if weights == "adapter" or not merged:
        return {"": run}
    return {"": run / "merged"} | ({ADAPTER: run} if weights == "all" else {})


# ----- the model it was made from ------------------------------------------------------------------------------------


def _api(repo: str, dry_run: bool) -> Any:
    """The Hub's client; None in a dry run without a network or a token."""
    from huggingface_hub import constants, get_token

    if dry_run and (constants.HF_HUB_OFFLINE or not get_token()):
        return None
    return upload.account(repo.partition("/")[0])


def _base(
    api: Any, manifest: dict[str, Any], run: Path, places: dict[str, Path], given: str | None
) -> card.BaseOfModel:
    """The Hub id that users load the base from. An adapter needs one; whole weights only say where they come from, and
    a model from scratch comes from nowhere."""
    made_by = manifest["base"].get("made_by")
    adapter = any((folder / ADAPTER_CONFIG).is_file() for folder in places.values())
    if given and not made_by:
        raise ItaMedError(f"--base {given}: {run} did not start from an earlier run")
    if made_by and adapter and not given:
        raise ItaMedError(
            f'the base of the adapter is the run "{manifest["base"]["model"]}", which others do not have: publish it, '
            "then name it with --base ORG/NAME, or publish merged weights (ita-med train … --merge, --weights merged)"
        )
    if made_by and given and api is not None:
        _is_that_run(api, given, made_by)
    first = manifest["base"]
    while "made_by" in first:
        first = first["made_by"]["base"]
    name, revision = (given, "main") if given else (first["model"], first["revision"])
    if not given and first.get("from_scratch"):
        return card.BaseOfModel(None, None, None, adapter)
    if not REPO_ID.fullmatch(name):
        raise ItaMedError(f'"{name}" is no id on the Hub; train with model.id=ORG/NAME and model.path=FOLDER')
    licence = None
    if api is not None:
        with upload.one_line(name):
            info = _info(api, name)
            licence = getattr(info.card_data, "license", None) if info.card_data else None
    return card.BaseOfModel(name, revision if re.fullmatch("[0-9a-f]{40}", revision) else None, licence, adapter)


def _info(api: Any, name: str) -> Any:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        return upload.patiently(lambda: api.model_info(name))
    except GatedRepoError:
        raise
    except RepositoryNotFoundError as error:
        raise ItaMedError(f"the base {name} is not on the Hub, or your token may not see it") from error


def _is_that_run(api: Any, name: str, made_by: dict[str, Any]) -> None:
    """Whether a repository holds the run that the base was made by."""
    from huggingface_hub.errors import EntryNotFoundError

    _info(api, name)
    try:
        path = api.hf_hub_download(name, run_folder.FINISHED)
        there = json.loads(Path(path).read_text("utf-8")).get("fingerprint")
    except (EntryNotFoundError, ValueError):
        there = None
    if there != made_by.get("fingerprint"):
        raise ItaMedError(f'--base {name} is not the run "{made_by["name"]}" that this one started from')


# ----- files ---------------------------------------------------------------------------------------------------------


def _files(folder: Path, place: str, base: card.BaseOfModel) -> Iterable[tuple[str, Path | bytes]]:
    """Path in the repository -> file of the folder, or its content where it is changed."""
    patterns = [*WEIGHTS, *SETTINGS, *TOKENIZER]
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        content: Path | bytes = path
        if path.name == "chat_template.jinja":
            content = pinned(path.read_text("utf-8")).encode()
        elif path.name == ADAPTER_CONFIG:
            values = json.loads(path.read_text("utf-8"))
            values |= {"base_model_name_or_path": base.name, "revision": base.revision}
            content = (json.dumps(values, indent=2) + "\n").encode()
        yield (f"{place}/{path.name}" if place else path.name), content


def pinned(template: str) -> str:
    """A chat template whose defaults are the settings of evaluation; who asks for others still gets them."""
    lines = [
        "{%- set " + f"{name} = {name} if {name} is defined else {json.dumps(value)}" + " %}"
        for name, value in TEMPLATE_SETTINGS.items()
        if re.search(rf"\b{name}\b", template) and f"{{%- set {name} = {name} if" not in template
    ]
    return "\n".join([*lines, template]) if lines else template


def stale(others: list[str]) -> list[str]:
    """Of the repository's other files, weights and settings that an earlier push left."""
    ours = [
        f"{place}{pattern}"
        for place in ("", f"{ADAPTER}/", "ita_med_*/*/")
        for pattern in (*WEIGHTS, *SETTINGS, *TOKENIZER)
    ]
    return [path for path in others if any(Path(path).match(p) and path.count("/") == p.count("/") for p in ours)]


def _no_folders(files: FilesToPublish, run: Path) -> None:
    """Nothing that is published names a folder of this machine."""
    own = {str(run.resolve()), str(Path.home())} - {"/"}
    for name, content in files.items():
        if name.endswith(".safetensors"):
            continue
        text = (content if isinstance(content, bytes) else content.read_bytes()).decode("utf-8", "replace")
        for folder in own:
            if re.search(re.escape(folder) + r"(?![\w-])", text):
                raise ItaMedError(f"{name} names a folder of this machine ({folder}); nothing was published")


def summary(done: PublishedModel, dry_run: bool) -> list[str]:
    """What was done, as lines for people."""
    change = done.change
    if change is None:
        listed = [f"  + {path}" for path in done.files]
        return ["would commit (the Hub was not asked):", *listed]
    if change.empty:
        return [f"{change.repo}: up to date, no new commit ({change.commit[:8]})"]
    what = f"{len(change.added)} files ({change.size / 2**20:.1f} MiB)"
    if change.deleted:
        what += f", {len(change.deleted)} outdated ones deleted"
    if dry_run:
        listed = [f"  + {path}" for path in change.added] + [f"  - {path}" for path in change.deleted]
        return [f"{change.repo}: would commit {what}; nothing was written", *listed]
    return [f"{change.repo}: {what}, commit {change.commit[:8]}: {change.url}"]
