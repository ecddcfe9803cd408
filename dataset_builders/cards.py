"""Data cards: what is in a dataset, where it comes from, what is wrong with it, and how to cite it.

A card is made of the catalogue (licence, access, origin, citation), the builder's card.md (what no code can say), and
the record of a build (`provenance.record`) or, without one, the counts that the builder expects.
"""

from __future__ import annotations

import re
from typing import Any

from ita_med import catalogue, licence_table
from ita_med.dataset_builders import build_record, known_overlaps
from ita_med.errors import ItaMedError
from ita_med.printing import markdown_table
from ita_med.version import __version__

UNVERIFIED_NOTE = "This builder was written from upstream's documentation; its authors could not see the real files."
SYNTHETIC = "**Synthetic sample** written for ita-med, not the real dataset."
NOT_SEEN = "Counts: not seen; built from upstream's documentation."
NO_STATEMENT = (
    "Upstream's pages, as far as they could be read, make no statement on personal data: check before sharing."
)
HUB_WORDS = {
    "ner": ("named-entity-recognition", ["token-classification"]),
    "re": ("relation-extraction", ["token-classification"]),
    "crf": ("case-report-form", ["text-classification"]),
    "qa": ("medical-exams", ["multiple-choice", "question-answering"]),
    "arg": ("argument-mining", ["token-classification"]),
    "corpus": ("corpus", ["text-generation", "fill-mask"]),
}
"""Family -> our tag, and the Hub's own task categories."""
SIZES = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M")]
FILES_SHOWN_PER_FOLDER = 8
OUR_CITATION = f"""@software{{ita_med,
  author  = {{{{The ita-med developers}}}},
  title   = {{ita-med: a living benchmark for Italian clinical NLP}},
  version = {{{__version__}}}
}}"""


def card(name: str, record: dict[str, Any] | None = None) -> str:
    """The card as Markdown with the Hub's YAML header.

    Args:
        name: The dataset.
        record: Of a build, whose Parquet files are taken to lie beside the card. Without one, the card is that of the
            builder: it names no data files, and counts are the expected ones or "not seen".
    """
    entry = catalogue.dataset(name)
    known = record or _expected_record(name)
    parts = [
        front_matter(entry, known, data=record is not None),
        f"# {entry.name}",
        f"> {SYNTHETIC}" if known and known["source"] == "embedded" else "",
        UNVERIFIED_NOTE if entry.status == "unverified" else "",
        entry.note,
        _facts(entry),
        _own_text(name),
        *_composition(known),
        _leakage(name),
        _citation(entry),
        _provenance(entry, known),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def has_statement(name: str) -> bool:
    """Whether the builder's card.md speaks of personal data."""
    return bool(re.search(r"^## Personal data\s*\n+[^#\s]", _card_text(name), re.M))


def _expected_record(name: str) -> dict[str, Any] | None:
    counts = build_record.expected(name)
    return counts and {"source": "pinned", "files": build_record.pinned(name), **counts}


def front_matter(entry: catalogue.Dataset, record: dict[str, Any] | None, *, data: bool) -> str:
    """The YAML header that the Hub reads; with `data`, also the configs that `datasets.load_dataset` reads."""
    import yaml

    licence = licence_table.hub_id(entry.licence)
    head: dict[str, Any] = {"language": ["it"], "license": licence}
    if licence == "other":
        head |= {"license_name": re.sub(r"[^a-z0-9.]+", "-", entry.licence.lower()).strip("-")}
        head |= {"license_link": entry.homepage}
    head["pretty_name"] = entry.name
    head["task_categories"] = list(dict.fromkeys(c for family in entry.families for c in HUB_WORDS[family][1]))
    head["tags"] = ["medical", "clinical", "ita-med", entry.origin, *(HUB_WORDS[f][0] for f in entry.families)]
    if record:
        head["size_categories"] = [_size(_examples(record))]
    if record and data:
        head["configs"] = [
            {"config_name": config, "data_files": [_data_file(config, split) for split in splits]}
            for config, splits in record["configs"].items()
        ]
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=1000)}---"


def _data_file(config: str, split: str) -> dict[str, str]:
    return {"split": split, "path": f"{config}/{split}-*.parquet"}


def _examples(record: dict[str, Any]) -> int:
    return sum(counts["examples"] for splits in record["configs"].values() for counts in splits.values())


def _size(examples: int) -> str:
    return next((name for limit, name in SIZES if examples < limit), "n>10M")


def _card_text(name: str) -> str:
    path = build_record.folder(name) / "card.md"
    if not path.is_file():
        raise ItaMedError(f"{name}: {path} is missing: it says what no code can (origin, known errors, personal data)")
    return path.read_text("utf-8")


def _own_text(name: str) -> str:
    text = _card_text(name)
    return text if has_statement(name) else f"{text.strip()}\n\n## Personal data\n\n{NO_STATEMENT}"


def _facts(entry: catalogue.Dataset) -> str:
    tasks = [task.id for task in catalogue.tasks() if task.dataset == entry.id]
    commercial = "allowed by the licence" if entry.commercial else "not clearly allowed by the stated licence"
    rows = {
        "Licence": f"{entry.licence} (commercial use: {commercial})",
        "Access": entry.access,
        "Origin of the Italian": entry.origin,
        "Size, as upstream says": entry.size,
        "Upstream": entry.homepage,
        "Benchmark tasks": ", ".join(tasks) or "none",
    }
    return "\n".join(markdown_table([(name, _cell(value)) for name, value in rows.items()], header=False))


def _cell(value: str) -> str:
    return value.replace("|", "/")


def _composition(record: dict[str, Any] | None) -> list[str]:
    if not record:
        return ["## Composition", NOT_SEEN]
    dropped = [
        (config, split, reason, f"{n:,}")
        for config, splits in record["configs"].items()
        for split, counts in splits.items()
        for reason, n in counts["dropped"].items()
    ]
    lost = markdown_table([("config", "split", "reason", "annotations"), *dropped], right=[3])
    return [
        "## Composition",
        "\n".join(composition_table(record)),
        "## Dropped annotations",
        "\n".join(lost) if dropped else "None: every annotation of the files that were read is kept.",
        f"Warnings (oddities that lose nothing): {_counts(record['warnings']) or 'none'}.",
    ]


def composition_table(record: dict[str, Any]) -> list[str]:
    """Markdown lines: config, split, examples, documents, annotations, relations."""
    lines = [["config", "split", "examples", "documents", "annotations", "relations"]]
    for config, splits in record["configs"].items():
        for split, r in splits.items():
            numbers = [f"{r['examples']:,}", f"{r['documents']:,}"]
            lines.append([config, split, *numbers, _counts(r["annotations"]), _counts(r["relations"])])
    return markdown_table(lines, right=[2, 3])


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{_cell(name)} {n:,}" for name, n in counts.items())


def _leakage(name: str) -> str:
    lines = [f"- {', '.join(others)}: {what}." for others, what in known_overlaps.overlaps_of(name)]
    none = "No overlap with another dataset is known by construction."
    measured = "Measured overlaps of texts: docs/leakage.md of ita-med, or `ita-med data leakage`."
    return "## Leakage\n\n" + "\n".join([*(lines or [none]), "", measured])


def _citation(entry: catalogue.Dataset) -> str:
    upstream = f"""@misc{{{entry.id},
  title        = {{{{{entry.name}}}}},
  howpublished = {{\\url{{{entry.homepage}}}}},
  note         = {{{entry.citation}}}
}}"""
    return (
        f"## How to cite\n\nThe dataset, which is its authors' work: {entry.citation}\n\n```bibtex\n{upstream}\n```\n\n"
        f"And ita-med, if you use this form of it:\n\n```bibtex\n{OUR_CITATION}\n```"
    )


def _provenance(entry: catalogue.Dataset, record: dict[str, Any] | None) -> str:
    head = f"## Provenance\n\nSource: `{entry.source}`."
    if not record:
        return f"{head} No file is pinned: none could be seen."
    origin = {"embedded": "the synthetic sample", "pinned": "the pinned upstream files"}
    by = f"Counted by ita-med {__version__}, data version {record['version']}, from"
    lines = [f"{head} {by} {origin.get(record['source'], 'the upstream files')}:", ""]
    shown = build_record.condense(record["files"], FILES_SHOWN_PER_FOLDER)
    lines += markdown_table([("file", "sha256"), *((path, f"`{digest}`") for path, digest in shown.items())])
    if any(path.endswith("/") for path in shown):
        lines += ["", "A folder's sha256 is that of the `sha256sum` lines of its files, in path order."]
    return "\n".join(lines)
