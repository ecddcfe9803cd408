"""A recipe: one readable YAML file that says which model is adapted how, on which data.

Keys that are not known are an error; `--set train.epochs=2` changes a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ita_med import catalogue, settings
from ita_med.errors import ItaMedError

FOLDER = Path(__file__).parent / "recipes"
METHODS = ("ft", "cpt", "mlm", "encoder")
"""Fine-tuning, continual pre-training, masked-language pre-training, and one encoder per task."""
ARCHITECTURES = {"mlm": ("bert", "modernbert"), "cpt": ("llama",)}
"""Method -> what can be trained from scratch by it."""


@dataclass
class Scratch:
    """A model that does not exist yet. vocabulary: tokens of the tokenizer that is learned from the first
    `tokenizer_characters` of the corpora."""

    architecture: str
    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: int
    tokenizer_characters: int = 100_000_000


@dataclass
class Model:
    """id: a Hub id, or the folder of a run that was trained before. path: a local folder with the files of `id`, for
    machines without a network; the run keeps the public name. after: the folder of a finished run that began with `id`;
    training goes on from its result. chat: train with the model's chat template (instruction as system turn). dtype:
    what is computed in, where the device can; all-parameter training keeps its weights in float32. scratch (mlm,
    cpt): a new model, which is to be called `id`."""

    id: str
    path: str | None = None
    after: str | None = None
    revision: str = "main"
    chat: bool = True
    dtype: str = "bfloat16"
    attention: str = "sdpa"
    scratch: Scratch | None = None

    @property
    def place(self) -> str:
        """Where the model is loaded from."""
        if self.after:
            merged = Path(self.after) / "merged"
            return str(merged) if merged.is_dir() else self.after
        return self.path or self.id

    @property
    def public_name(self) -> str:
        """The Hub id; of a folder its last part: other machines do not have the rest."""
        if self.after:
            return Path(self.after).name
        return Path(self.id).name if self.path is None and Path(self.id).is_dir() else self.id


@dataclass
class Replay:
    """corpora: folders of ita-med corpus build; share: theirs of all characters that are read (see replay.py)."""

    corpora: list[str]
    share: float = 0.1


@dataclass
class Data:
    """tasks (ft, encoder): task or group names, "id" for all in-distribution tasks. corpora (cpt, mlm): folders of
    ita-med corpus build. examples (ft, encoder): training examples per task, drawn by train.seed before caps and
    temperature (`rows.subset`), null for all. cap_per_task: at most so many of a task. temperature (ft): see
    `rows.shares`. max_length: tokens; longer rows are left out and counted (ft) or split (others). document_end (cpt):
    the token behind each document; null: the tokenizer's end of sequence, which in a chat model ends a turn. The
    tokenizer itself is left as it is. streaming (cpt): texts are read and tokenised while the model is trained, not
    before. overlap (encoder): tokens that the windows of a long text have in common. negatives (encoder): pairs without
    a relation, and items without a value, that are learned for each with one; null for all. replay (cpt): general
    text that is mixed in."""

    tasks: list[str] = field(default_factory=list)
    corpora: list[str] = field(default_factory=list)
    examples: int | None = None
    cap_per_task: int | None = None
    temperature: float = 1.0
    max_length: int = 2048
    document_end: str | None = None
    streaming: bool = False
    overlap: int = 128
    negatives: int | None = None
    replay: Replay | None = None


@dataclass
class Lora:
    r: int = 16
    alpha: int = 32
    dropout: float = 0.05
    targets: str | list[str] = "all-linear"


@dataclass
class Train:
    """batch_size: rows per device and step. warmup: share of the steps. packing: "none", "bfd" (ft: whole rows) or
    "bfd_split" (cpt: long documents are split, nothing is thrown away). mask (mlm): share of the tokens that are
    predicted."""

    learning_rate: float = 2.0e-4
    schedule: str = "cosine"
    warmup: float = 0.03
    epochs: float = 1.0
    max_steps: int | None = None
    batch_size: int = 8
    gradient_accumulation: int = 1
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    mask: float = 0.15
    packing: str = "none"
    gradient_checkpointing: bool = True
    save_steps: int = 200
    logging_steps: int = 10
    seed: int = 0


@dataclass
class Recipe:
    """lora None: all parameters are trained. origin: where the hyper-parameters come from; never the paper's own."""

    name: str
    method: str
    model: Model
    data: Data
    train: Train
    lora: Lora | None = None
    origin: str = ""
    report_to: str = "trackio"


def names() -> list[str]:
    """The recipes that come with the package: "qwen3/qwen3-1.7b-ft"."""
    return sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.glob("*/*.yaml"))


def find(name: str) -> Path:
    """A recipe by its name, or by the path of a YAML file."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ItaMedError(f"{name}: no such recipe file")
        return path
    known = FOLDER / f"{name}.yaml"
    if not known.is_file():
        raise ItaMedError(f'no recipe is called "{name}"; there are {", ".join(names())}')
    return known


def load(path: Path, changes: list[str] | None = None) -> Recipe:
    """Read a recipe and apply `changes` ("train.epochs=2"); an ItaMedError names the key that is wrong."""
    raw = settings.read_yaml(path)
    settings.change(raw, changes or [])
    raw.setdefault("name", path.stem)
    recipe: Recipe = settings.read(Recipe, raw, str(path))
    _check(recipe, str(path))
    return recipe


def _check(recipe: Recipe, where: str) -> None:
    if recipe.method not in METHODS:
        raise ItaMedError(f"{where}: method is one of {', '.join(METHODS)}")
    if recipe.method in ("ft", "encoder") and not recipe.data.tasks:
        raise ItaMedError(f"{where}: the method {recipe.method} needs data.tasks")
    if recipe.method in ("cpt", "mlm") and not recipe.data.corpora:
        raise ItaMedError(f"{where}: pre-training needs data.corpora, folders of ita-med corpus build")
    if recipe.method in ("encoder", "mlm"):
        _check_encoder(recipe, where)
    if recipe.model.scratch is not None:
        _check_scratch(recipe, recipe.model.scratch, where)
    if (replay := recipe.data.replay) is not None:
        if recipe.method != "cpt":
            raise ItaMedError(f"{where}: data.replay is for continual pre-training")
        if not replay.corpora or not 0 < replay.share < 1:
            raise ItaMedError(f"{where}: data.replay wants corpora, and a share between 0 and 1")
    if recipe.model.after and recipe.model.path:
        raise ItaMedError(f"{where}: model.after and model.path both name the files to start from")
    if recipe.train.packing not in ("none", "bfd", "bfd_split"):
        raise ItaMedError(f'{where}: train.packing is "none", "bfd" or "bfd_split"')
    if recipe.method == "cpt" and recipe.train.packing != "bfd_split":
        raise ItaMedError(f"{where}: only the packing bfd_split throws no text away (bfd loses a third of E3C)")
    if recipe.method == "ft" and recipe.train.packing == "bfd_split":
        raise ItaMedError(f"{where}: bfd_split would cut rows in two; fine-tuning packs with bfd")
    if recipe.data.examples is not None and recipe.data.examples < 1:
        raise ItaMedError(f"{where}: data.examples is {recipe.data.examples}, expected at least 1, or null for all")
    for name, value in (("batch_size", recipe.train.batch_size), ("save_steps", recipe.train.save_steps),
                        ("gradient_accumulation", recipe.train.gradient_accumulation)):  # fmt: skip
        if value < 1:
            raise ItaMedError(f"{where}: train.{name} is {value}, expected at least 1")


def _check_scratch(recipe: Recipe, scratch: Scratch, where: str) -> None:
    able = ARCHITECTURES.get(recipe.method, ())
    if scratch.architecture not in able or recipe.lora or recipe.model.path or recipe.model.after:
        known = " or ".join(f"{', '.join(kinds)} by {method}" for method, kinds in ARCHITECTURES.items())
        raise ItaMedError(f"{where}: from scratch one trains {known}, without lora, model.path and model.after")
    sizes = (scratch.layers, scratch.hidden, scratch.heads, scratch.intermediate, scratch.vocabulary)
    if min(sizes) < 1 or scratch.hidden % scratch.heads or scratch.vocabulary < 300:
        raise ItaMedError(
            f"{where}: model.scratch: sizes are at least 1, hidden is a multiple of heads, vocabulary at least 300"
        )


def _check_encoder(recipe: Recipe, where: str) -> None:
    if recipe.lora is not None or recipe.train.packing != "none" or recipe.data.streaming:
        raise ItaMedError(f"{where}: an encoder is trained whole, without lora, packing and streaming")
    if recipe.data.max_length < 16 or not recipe.data.overlap >= 0:
        raise ItaMedError(f"{where}: data.max_length is at least 16, data.overlap at least 0")
    if not 0 < recipe.train.mask < 1:
        raise ItaMedError(f"{where}: train.mask is {recipe.train.mask}, expected a share between 0 and 1")


def tasks(recipe: Recipe) -> list[catalogue.Task]:
    """The tasks that a recipe trains on: in-distribution ones only."""
    ready = catalogue.tasks(ready=True)
    chosen: dict[str, catalogue.Task] = {}
    for name in recipe.data.tasks:
        if name == "id":
            found = [task for task in ready if task.distribution == "id"]
        elif name in catalogue.FAMILIES:
            found = [task for task in ready if task.family == name and task.distribution == "id"]
        else:
            found = [catalogue.task(name)]
        for task in found:
            if task.distribution != "id":
                raise ItaMedError(f"{task.id} is out of distribution: nothing may be trained on it")
            if task.status != "ready":
                raise ItaMedError(f"{task.id}: planned, not built yet")
            chosen[task.id] = task
    return list(chosen.values())
