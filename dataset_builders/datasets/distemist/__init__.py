"""DisTEMIST, Italian: diseases (ENFERMEDAD) in clinical cases, text and mentions translated by machine (silver).

Upstream  https://temu.bsc.es/distemist/category/data/, multilingual resources
Format    `it/{training,test_annotated}/text_files/*.txt` and `…/subtrack1_entities/*.tsv` with the columns filename,
          mark, label, off0, off1, span; `…/subtrack2_linking/*.tsv` adds SNOMED CT codes and semantic_rel.
          The Italian files were not seen: columns and layout are those of the Spanish ones, in a folder `it`
Split     upstream's train and, where it is there, test
Quirks    codes joined by "+"; documents without codes; the column of the codes is called `code` or `codes`
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import brat
from ita_med.errors import DataError
from ita_med.schema import Example
from ita_med.sources import RawFiles, Source
from ita_med.text import decode

VERSION = "1.0.0"
SOURCES: tuple[Source, ...] = ()
CONFIGS = {"disease": "spans"}
LABELS = ("ENFERMEDAD",)
FOLDERS = {"train": "it/training", "test": "it/test_annotated"}
"""Split -> folder. A folder of its own keeps the Spanish files, which look the same, from being taken for these."""
COLUMNS = ["filename", "mark", "label", "off0", "off1", "span"]
LINKED = ([*COLUMNS, "codes", "semantic_rel"], [*COLUMNS, "code", "semantic_rel"])

MentionPlace = tuple[str, int, int]
"""Document id, start, end."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("disease", split, one example per document in the order of the ids)."""
    in_train: set[str] = set()
    for split, folder in FOLDERS.items():
        if split == "test" and not files.find(f"{folder}/text_files/*.txt", required=False):
            report.warn("test_missing")
            continue
        texts = _texts(files, folder)
        if repeated := in_train & texts.keys():
            raise DataError(f"distemist: {folder}/text_files/{min(repeated)}.txt is also in {FOLDERS['train']}")
        in_train |= texts.keys()
        yield "disease", split, _examples(files, folder, split, texts, report)


def _texts(files: RawFiles, folder: str) -> dict[str, str]:
    found = files.find(f"{folder}/text_files/*.txt")
    return {path.rpartition("/")[2][: -len(".txt")]: decode(raw, f"distemist: {path}") for path, raw in found}


def _examples(files: RawFiles, folder: str, split: str, texts: dict[str, str], report: BuildReport) -> list[Example]:
    counts = report.split("disease", split)
    mentions: dict[str, list[brat.BratMention]] = {doc_id: [] for doc_id in texts}
    places: set[MentionPlace] = set()
    for row in _rows(files, f"{folder}/subtrack1_entities/*.tsv", (COLUMNS,), texts, required=True):
        places.add((row.doc_id, row.start, row.end))
        parts = [(row.start, row.end)]
        mentions[row.doc_id].append(brat.BratMention(row.values["mark"], row.label, parts, row.text))
    codes: dict[MentionPlace, tuple[str, str]] = {}
    for row in _rows(files, f"{folder}/subtrack2_linking/*.tsv", LINKED, texts, required=False):
        place = (row.doc_id, row.start, row.end)
        code = (row.values.get("codes") or row.values.get("code") or "", row.values["semantic_rel"])
        if codes.setdefault(place, code) != code:
            raise DataError(f'{row.where}: "{row.text}" has the codes {code[0]}, before {codes[place][0]}')
        counts.drop("code_without_mention", place not in places)
    examples: list[Example] = []
    for doc_id, text in sorted(texts.items()):
        example = brat.example(doc_id, text, sorted(mentions[doc_id], key=lambda m: m.place), counts)
        found = [codes.get((doc_id, span.start, span.end), ("", "")) for span in example.spans]
        if any(code for code, _ in found):
            example.meta |= {"snomed": [code for code, _ in found], "semantic_rel": [kind for _, kind in found]}
        examples.append(example)
    return examples


def _rows(
    files: RawFiles, pattern: str, columns: tuple[list[str], ...], texts: dict[str, str], *, required: bool
) -> Iterator[brat.TsvRow]:
    for path, raw in files.find(pattern, required=required):
        where = f"distemist: {path}"
        for row in brat.rows(decode(raw, where), columns, where):
            if row.doc_id not in texts:
                raise DataError(f'{row.where}: document "{row.doc_id}" has no .txt file')
            brat.check_row(row, texts[row.doc_id], LABELS)
            yield row
