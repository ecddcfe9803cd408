"""The model card of a run, written from its manifest: nothing in it is typed by hand."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ita_med import catalogue, sources
from ita_med.numbers import NONE, interval, number
from ita_med.printing import markdown_table
from ita_med.training.publish import card_results
from ita_med.training.publish.card_results import CardResult
from ita_med.training.record.licences import LicensedData, of_model

METHODS = {
    "ft": "Fine-tuned",
    "cpt": "Further pre-trained",
    "encoder": "Encoders fine-tuned",
    "mlm": "Further pre-trained (masked language model)",
}
PIPELINES = {"encoder": None, "mlm": "fill-mask"}
"""Encoders of several kinds lie in one repository."""
FLOORS = ("random", "majority", "knn")


@dataclass
class BaseOfModel:
    """The model that was trained, as others load it. name: None from scratch; licence: as its own card states it;
    adapter: the base is needed to load what is published."""

    name: str | None
    revision: str | None
    licence: str | None
    adapter: bool


def card(
    repo: str,
    manifest: dict[str, Any],
    materials: list[LicensedData],
    base: BaseOfModel,
    rows: list[CardResult],
    places: list[str],
    permitted: list[str],
) -> str:
    """README.md with its metadata. places: where weights lie, "" for the root; permitted: data with a permission."""
    from huggingface_hub import ModelCardData

    whole = not (base.adapter and len(places) == 1)
    terms = of_model(materials, base.licence)
    used = [m.name for m in materials]
    data = ModelCardData(
        language="it",
        library_name="transformers" if whole else "peft",
        base_model=base.name,
        base_model_relation=("finetune" if whole else "adapter") if base.name else None,
        datasets=_on_the_hub(used) or None,
        pipeline_tag=PIPELINES.get(manifest["method"], "text-generation"),
        tags=["ita-med", "medical", "clinical", *(["synthetic"] if manifest["synthetic"] else [])],
        license=terms["license"],
        license_name=terms.get("license_name"),
        license_link=f"https://huggingface.co/{repo}#licence" if "license_name" in terms else None,
    )
    parts = [
        _head(repo, manifest, materials, base),
        _use(repo, manifest, base, places),
        _intended(manifest),
        _training(manifest, base),
        _results(rows, manifest),
        _limits(manifest),
        _licence(materials, base, permitted),
        _citations(used),
    ]
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def _on_the_hub(names: list[str]) -> list[str]:
    from ita_med.dataset_builders import build

    known = {entry.id for entry in catalogue.datasets() if entry.has_builder}
    found = [source for name in names if name in known for source in build.builder(name).SOURCES]
    return [source.repo for source in found if isinstance(source, sources.Hub)]


def _head(repo: str, manifest: dict[str, Any], materials: list[LicensedData], base: BaseOfModel) -> str:
    lines = [f"# {repo.partition('/')[2]}", ""]
    if manifest["synthetic"]:
        lines += ["> **Trained on synthetic sample data.** It shows that the software works; it has no other use.", ""]
    if not all(m.commercial for m in materials):
        lines += ["> **Not for commercial use**: some of the data it was trained on do not clearly allow it.", ""]
    if (base.licence or "").startswith("llama"):
        lines += ["Built with Llama.", ""]
    what = METHODS.get(manifest["method"], "Trained")
    how = "all parameters" if manifest["recipe"].get("lora") is None else "LoRA"
    on = ", ".join(manifest["tasks"] or manifest["corpora"])
    of = (
        f"{what} from [{base.name}](https://huggingface.co/{base.name}) ({how})"
        if base.name
        else "Trained from scratch"
    )
    lines += [f"{of} on Italian clinical text: {on}."]
    chain = _chain(manifest)
    if len(chain) > 1:
        lines += ["", "In steps: " + " → ".join(f"{m['name']} ({m['method']})" for m in chain) + "."]
    return "\n".join([*lines, "", "Made with [ita-med](https://github.com/ita-med/ita-med), a benchmark of Italian "
                      "clinical language processing."])  # fmt: skip


def _chain(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs that led to this one, oldest first."""
    before = manifest["base"].get("made_by")
    return [*(_chain(before) if before else []), manifest]


def _use(repo: str, manifest: dict[str, Any], base: BaseOfModel, places: list[str]) -> str:
    if manifest["method"] == "encoder":
        return _use_encoders(repo, places)
    kind = "AutoModelForMaskedLM" if manifest["method"] == "mlm" else "AutoModelForCausalLM"
    lines = ["## Use", "", "```python"]
    if base.adapter and len(places) == 1:
        lines += [
            "from peft import PeftModel",
            f"from transformers import {kind}, AutoTokenizer",
            "",
            f'base = {kind}.from_pretrained("{base.name}")',
            f'model = PeftModel.from_pretrained(base, "{repo}")',
        ]
    else:
        lines += [f"from transformers import {kind}, AutoTokenizer", "", f'model = {kind}.from_pretrained("{repo}")']
    lines += [f'tokenizer = AutoTokenizer.from_pretrained("{repo}")', "```"]
    if base.adapter and len(places) > 1:
        lines += ["", f'The adapter alone: `PeftModel.from_pretrained(base, "{repo}", subfolder="adapter")`.']
    lines += [
        "",
        "The prompts are those of the benchmark: `ita-med tasks show TASK` prints them, `ita-med eval` asks them. The "
        "chat template, if there is one, has the settings of training as defaults: no thinking block, a fixed date.",
    ]
    return "\n".join(lines)


def _use_encoders(repo: str, places: list[str]) -> str:
    return "\n".join(
        [
            "## Use",
            "",
            "One encoder per task and part, each in a folder that `from_pretrained(…, subfolder=…)` reads:",
            "",
            *(f"- `{place}`" for place in places),
            "",
            "All together they answer the tasks of the benchmark:",
            "",
            "```",
            f"hf download {repo} --local-dir RUN",
            "ita-med predict RUN --out ANSWERS",
            "```",
        ]
    )


def _intended(manifest: dict[str, Any]) -> str:
    return "\n".join([
        "## Intended use",
        "",
        "Research on Italian clinical language processing: extraction of mentions, relations and form items, questions "
        "and argumentation, in the form in which the benchmark asks for them.",
        "",
        "**Out of scope**: diagnosis, treatment, triage or any decision about a patient; use as a medical device; "
        "advice to patients; other languages; texts of other kinds than those below without an evaluation on them. It "
        "is not validated for clinical use, and it may repeat or invent personal data.",
    ])  # fmt: skip


def _training(manifest: dict[str, Any], base: BaseOfModel) -> str:
    table = [["data", "rows", "tokens", "left out"]]
    for name, c in manifest["data"].items():
        left = []
        if n := sum(c.get("leaking", {}).values()):
            left.append(f"{n:,} that repeat an evaluated text")
        if n := c.get("too_long", 0):
            left.append(f"{n:,} too long")
        rows, tokens = c.get("rows", c.get("documents", 0)), c.get("tokens")
        table.append([name, f"{rows:,}", NONE if tokens is None else f"{tokens:,}", ", ".join(left) or NONE])
    loss = manifest["loss"]
    facts = [
        f"{manifest['steps']:,} steps, {manifest['tokens']:,} tokens, {manifest['trainable']:,} parameters trained",
        f"loss {loss['first']} at first, {loss['last']} at last; seed {manifest['seed']}",
        f"{_device(manifest)}, {manifest['seconds'] / 3600:.2f} hours",
        *(["base revision " + (base.revision or "not pinned")] if base.name else []),
        ", ".join(f"{name} {version}" for name, version in manifest["versions"].items()),
    ]
    lines = ["## Training", "", *markdown_table(table), ""]
    lines += [*(f"- {fact}" for fact in facts), "", f"Hyper-parameters: {manifest['recipe']['origin']}."]
    recipe = json.dumps(manifest["recipe"], indent=2, ensure_ascii=False)
    lines += [
        "",
        "<details><summary>Recipe</summary>",
        "",
        "```json",
        recipe,
        "```",
        "",
        f"`{manifest['command']}`",
        "",
    ]
    return "\n".join([*lines, "</details>"])


def _device(manifest: dict[str, Any]) -> str:
    hardware = manifest["hardware"]
    found = Counter(hardware.get("accelerators", []))
    return ", ".join(f"{n} × {name}" for name, n in found.items()) or f"{hardware['cpus']} CPUs"


def _results(rows: list[CardResult], manifest: dict[str, Any]) -> str:
    if not rows:
        return "## Results\n\nNot evaluated."
    floors = json.loads((files("ita_med.tasks") / "floors.json").read_text("utf-8"))
    given = not manifest["synthetic"]  # the floors were measured on real data
    shown = [row for row in rows if row.kind != card_results.FLOOR] + [
        row for row in rows if row.kind == card_results.FLOOR
    ]
    head = [
        "task",
        "",
        "trained on",
        "documents",
        *(f"{r.label} ({r.kind})" if r.kind != "own" else r.label for r in shown),
    ]
    head += [f"floor: {kind}" for kind in FLOORS if given]
    table = [head]
    for name in card_results.tasks(rows):
        task = catalogue.task(name)
        documents = next(row.documents[name] for row in rows if name in row.documents)
        cells = [name, task.distribution.upper(), "yes" if name in manifest["tasks"] else "no", f"{documents:,}"]
        cells += [_cell(row, name) for row in shown]
        if given:
            measured = floors.get(name, {})
            cells += [number(measured[kind][0] if kind in measured else None) for kind in FLOORS]
        table.append(cells)
    notes = "Points (0–100) of each task's headline score, with 95 % intervals (bootstrap over documents) or ± the "
    notes += (
        f"standard error. Benchmark version {rows[0].version}. ID: the task has a train split; OOD: nothing of its "
    )
    notes += (
        "data is ever trained on. The floors answer without reading (random, majority) or with the nearest training "
    )
    notes += "example (knn): a model that does not beat them has learnt nothing of use."
    if manifest["synthetic"]:
        notes += " **Synthetic sample data: these numbers say nothing about real clinical text.**"
    return "\n".join(["## Results", "", *markdown_table(table), "", notes])


def _cell(row: CardResult, task: str) -> str:
    if task not in row.scores:
        return NONE
    if task in row.intervals:
        return f"{number(row.scores[task])} {interval(row.intervals[task])}"
    return f"{number(row.scores[task])} ± {number(row.errors[task])}"


def _limits(manifest: dict[str, Any]) -> str:
    lines = [
        "- A score in distribution says little about notes of another hospital, specialty or time; see the OOD rows."
    ]
    if manifest.get("not_guarded"):
        names = ", ".join(manifest["not_guarded"])
        lines.append(
            f"- Training data could not be compared with the evaluated texts of {names}: their data were absent."
        )
    if manifest.get("missing"):
        lines.append(f"- Tasks of its recipe without data when it was trained: {', '.join(manifest['missing'])}.")
    unchecked = [name for name, c in manifest["data"].items() if c.get("decontaminated") is False]
    if unchecked:
        lines.append(f"- Evaluated texts were not taken out of {', '.join(unchecked)}.")
    lines.append("- Some of its data are machine-translated; `ita-med data list` names the origin of each.")
    lines.append(
        "- The benchmark is a reconstruction over public data; its scores cannot be compared with those of papers."
    )
    return "\n".join(["## Limits", "", *lines])


def _licence(materials: list[LicensedData], base: BaseOfModel, permitted: list[str]) -> str:
    lines = ["The limits of the training data are inherited:"]
    if base.name:
        stated = base.licence or "not known here: see its page"
        link = f"[{base.name}](https://huggingface.co/{base.name})"
        lines = [f"The licence of {link} holds ({stated}), and the limits of the training data are inherited:"]
    table = [["data", "licence", "commercial use"]]
    for m in materials:
        name = f"[{m.name}]({m.homepage})" if m.homepage else m.name
        table.append([name, m.licence, "yes" if m.commercial else "**no**"])
    lines += ["", *markdown_table(table)]
    if not all(m.commercial for m in materials):
        lines += ["", "As a whole it is for non-commercial use only, even where single data sets allow more."]
    if any("SA" in m.licence.replace("-", " ").split() for m in materials):
        lines += ["", "Share-alike data are among them: pass on what you make of it under the same terms."]
    if permitted:
        lines += [
            "",
            f"Published with the permission of the owners of {', '.join(permitted)}, as its publisher states.",
        ]
    return "\n".join(["## Licence", "", *lines])


def _citations(names: list[str]) -> str:
    known = {entry.id: entry for entry in catalogue.datasets()}
    lines = [f"- {known[name].name}: {known[name].citation}" for name in names if name in known]
    return "\n".join(["## Data to cite", "", *lines]) if lines else ""
