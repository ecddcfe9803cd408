"""MultiCardioNER, Italian: drugs (FARMACO) in clinical cases, general (DrugTEMIST) and of cardiology (CardioCCC).

Upstream  https://doi.org/10.5281/zenodo.10948354 (CC BY 4.0; translated, projected, corrected by experts), track 2
Format    brat, one `.txt` and one `.ann` per document; the same mentions as TSV in the sister folder `tsv`
Split     DrugTEMIST has only a training set: 80/10/10 by the sha256 of the document id; CardioCCC dev and test are
          upstream's, and it is never trained on
Quirks    annotators' notes (lines with "#") in `.ann`; mentions in several pieces; TSV with and without `ann_id`
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import brat
from ita_med.dataset_builders.formats.passages import passages
from ita_med.errors import DataError
from ita_med.schema import Example, SpanExample
from ita_med.sources import RawFiles, Zenodo
from ita_med.text import decode

VERSION = "1.0.0"
SOURCES = (Zenodo(10948354),)
CONFIGS = {
    "drugtemist": "spans",  # one example per document
    "cardioccc": "spans",
    "drugtemist_passages": "spans",  # the same in passages, as the tasks ask
    "cardioccc_passages": "spans",
}
LABELS = ("FARMACO",)
RELEASE = "multicardioner_train+dev+test+bg_240502"
"""The archive's top folder."""
SETS = {
    "drugtemist": {"": "drugtemist_train"},
    "cardioccc": {"validation": "cardioccc_dev", "test": "cardioccc_test"},
}
"""Config -> split -> upstream's set; "" is a set that is split here."""
SPLITS = ("train", "validation", "test")


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield (config, split, one example per document or passage in the order of the ids)."""
    for name, sets in SETS.items():
        wanted = [config for config in configs if config.removesuffix("_passages") == name]
        for split, upstream in sets.items() if wanted else ():
            splits: dict[str, list[SpanExample]] = {part: [] for part in ([split] if split else SPLITS)}
            counts = {part: report.split(wanted[0], part) for part in splits}
            for doc_id, text, mentions in _documents(files, upstream, report):
                part = split or split_of(doc_id)
                splits[part].append(brat.example(doc_id, text, mentions, counts[part]))
            for part, documents in splits.items():
                for config in wanted:
                    report.split(config, part).dropped = counts[part].dropped.copy()
                    yield config, part, [*documents] if config == name else [p for d in documents for p in passages(d)]


def split_of(doc_id: str) -> str:
    """The split of a DrugTEMIST document: the sha256 of its id, as a number, modulo 10."""
    digit = int(hashlib.sha256(doc_id.encode()).hexdigest(), 16) % 10
    return {8: "validation", 9: "test"}.get(digit, "train")


def _documents(files: RawFiles, name: str, report: BuildReport) -> list[tuple[str, str, list[brat.BratMention]]]:
    """(document id, text, mentions) of one of upstream's sets."""
    # An archive is looked into with and without its top folder; a folder that somebody unpacked is not.
    folder = f"{RELEASE}/track2/{name}/it" if files.has(RELEASE) else f"track2/{name}/it"
    documents = []
    for doc_id, text, path, content in brat.documents(files, f"{folder}/brat/*.txt", f"{folder}/brat/*.ann"):
        where = f"multicardioner: {path}"
        documents.append((doc_id, text, brat.mentions(content, text, LABELS, report, where)))
    for path, raw in files.find(f"{folder}/tsv/*.tsv", required=False):
        where = f"multicardioner: {path}"
        rows = list(brat.rows(decode(raw, where), brat.TSV_COLUMNS, where))
        _compare(documents, rows, report)
    return documents


def _compare(
    documents: list[tuple[str, str, list[brat.BratMention]]], rows: list[brat.TsvRow], report: BuildReport
) -> None:
    """Count what only one of brat and TSV holds; a row that brat does not have must fit its text all the same."""
    texts = {doc_id: text for doc_id, text, _ in documents}
    in_brat = {(doc_id, *m.place, brat.one_line(m.text)) for doc_id, _, mentions in documents for m in mentions}
    in_tsv = set()
    for row in rows:
        if row.doc_id not in texts:
            raise DataError(f'{row.where}: document "{row.doc_id}" has no .txt file')
        key = (row.doc_id, row.start, row.end, row.label, brat.one_line(row.text))
        in_tsv.add(key)
        if key not in in_brat:
            brat.check_row(row, texts[row.doc_id], LABELS)
    report.warn("mention_only_in_tsv", len(in_tsv - in_brat))
    report.warn("mention_only_in_brat", len(in_brat - in_tsv))
