"""What `ita-med train --dry-run` prints."""

from __future__ import annotations

from pathlib import Path

from ita_med.printing import aligned
from ita_med.training.plan.training_plan import TrainingPlan
from ita_med.training.record import licences, run_folder

METHODS = {
    "ft": "fine-tuning",
    "cpt": "continual pre-training",
    "mlm": "masked-language pre-training",
    "encoder": "an encoder per task",
}


def lines(plan: TrainingPlan, out: Path | None, merge: bool) -> list[str]:
    """For people: model, data, size, licences, and the files that would be written."""
    recipe, size = plan.recipe, plan.estimate.size
    what = "all parameters" if recipe.lora is None else f"LoRA, r={recipe.lora.r}"
    new = ", from scratch" if recipe.model.scratch else ""
    found = [f"{recipe.name}: {METHODS[recipe.method]}, {recipe.model.public_name} ({what}{new})"]
    found += [f"hyper-parameters: {recipe.origin}", ""]
    found += _corpora(plan) if recipe.data.corpora else _tasks(plan)
    guess = " (guessed from the name: its configuration is not here)" if size.source == "name" else ""
    found += ["", f"parameters  {size.parameters:,}, trained {size.trainable:,}{guess}", *_costs(plan), ""]
    found += [*_licences(plan), *_publishing(plan)]
    found += ["", "would write" + (f" to {out}" if out else ""), *(f"  {name}" for name in files(plan, merge))]
    return found


def files(plan: TrainingPlan, merge: bool) -> list[str]:
    """What a finished run holds."""
    if plan.recipe.method == "encoder":
        return ["TASK/PART/: model.safetensors, config.json, tokenizer, part.json", "manifest.json"]
    weights = (
        "model.safetensors, config.json"
        if plan.recipe.lora is None
        else "adapter_model.safetensors, adapter_config.json"
    )
    more = ["merged/: base and adapter in one model"] if merge else []
    return [weights, "tokenizer and chat template", "manifest.json: recipe, data, licences, loss, versions", *more]


def _tasks(plan: TrainingPlan) -> list[str]:
    table = [["task", "examples", "leaking", "taken", "drawn", "too long", "rows", "tokens"]]
    for name, c in plan.counts.items():
        cells = [c["examples"], sum(c["leaking"].values()), c["taken"], c["drawn"]]
        cells += [c.get(key) for key in ("too_long", "rows", "tokens")]
        table.append([name, *("?" if n is None else f"{n:,}" for n in cells)])
    found = aligned(table, left=1)
    found += [
        f"{name}, {part}: {c['expressed']:,} of {c['gold']:,} gold answers can be expressed"
        for name, of_task in plan.counts.items()
        for part, c in of_task.get("parts", {}).items()
        if c["expressed"] < c["gold"]
    ]
    found += [f"not there: {name}: {why}" for name, why in plan.facts["missing"].items()]
    if plan.facts["not_guarded"]:
        found.append(f"not compared with (not there): {', '.join(plan.facts['not_guarded'])}")
    if plan.facts["synthetic"]:
        found.append("SYNTHETIC SAMPLE: no real data")
    return found


def _corpora(plan: TrainingPlan) -> list[str]:
    table = [["corpus", "documents", "words", "characters", "evaluated texts"]]
    for name, c in plan.counts.items():
        cells = [f"{c[key]:,}" for key in ("documents", "words", "characters")]
        name += f" (replayed: {c['share']:.1%})" if "share" in c else ""
        table.append([name, *cells, "taken out" if c["decontaminated"] else "NOT COMPARED"])
    return [*aligned(table, left=1), *(["SYNTHETIC SAMPLE: no real data"] if plan.facts["synthetic"] else [])]


def _costs(plan: TrainingPlan) -> list[str]:
    e = plan.estimate
    counted = "counted" if e.tokens_counted else "estimated" + ("" if plan.corpora else ": the tokenizer is not here")
    parts = ", ".join(f"{what} {gib:.2f}" for what, gib in e.memory.items() if gib)
    hours = f"{e.seconds / 3600:.2f} h" if e.seconds is not None else "?"
    return [
        f"tokens      {e.tokens:,} in one pass ({counted}), {e.trained_tokens:,} in {e.steps:,} steps",
        f"memory      about {e.memory_gib:.2f} GiB ({parts})",
        f"disk        about {e.disk_gib:.2f} GiB with checkpoints",
        f"time        about {hours}: 6 × parameters × tokens = {e.flops:.2g} FLOPs on {e.device}",
    ]


def _licences(plan: TrainingPlan) -> list[str]:
    found = licences.of_data(plan.counts)
    table = [["licence of", "", "commercial use"]]
    table += [[entry["dataset"], entry["licence"], "yes" if entry["commercial"] else "NO"] for entry in found]
    lines = aligned(table, left=3)
    if not all(entry["commercial"] for entry in found):
        lines.append("WARNING: data not clearly free for commercial use are among them; the model inherits that")
    return lines


def refusals(plan: TrainingPlan) -> dict[str, str]:
    """Data -> why a model that is trained on them may not be published."""
    run = {"base": run_folder.base(plan.recipe), "licences": licences.of_data(plan.counts)}
    return {m.name: m.refusal for m in licences.trained_on(run) if m.refusal}


def _publishing(plan: TrainingPlan) -> list[str]:
    refused = refusals(plan)
    if not refused:
        return ["ita-med publish would publish the weights, the tokenizer, the manifest and a card"]
    return [f"ita-med publish would refuse the result: {name}: {why}" for name, why in refused.items()]
