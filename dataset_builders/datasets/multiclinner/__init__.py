"""MultiClinNER, Italian: diseases, procedures and symptoms in clinical cases, three sets that stay apart.

Upstream  https://temu.bsc.es/MultiClinAI (Zenodo 19334278, the last version of 18508037): SpaCCC, CardioCCC and OnaCCC
Format    brat: `MultiClinNER-it/MultiClinNER-it-train/MultiClinNER-it-train-LABEL/{txt,ann}`, two files per document
Split     upstream's train; its test set, where the mirror holds one with the same layout (that layout was not seen)
Quirks    a file name stands for different texts in the three sets, so they are never merged; annotators' notes and
          mentions in several pieces as in all brat files
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import brat
from ita_med.errors import DataError
from ita_med.schema import Example
from ita_med.sources import RawFiles, Zenodo

VERSION = "1.0.0"
SOURCES = (Zenodo(19334278),)
CONFIGS = {"disease": "spans", "procedure": "spans", "symptom": "spans"}
"""One per label, which is its name in capitals."""
SPLITS = ("train", "test")


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield (config, split, one example per document in the order of the ids)."""
    for config in configs:
        in_train: dict[str, str] = {}
        for split in SPLITS:
            folder = f"MultiClinNER-it/MultiClinNER-it-{split}/MultiClinNER-it-{split}-{config}"
            if split == "test" and not files.find(f"{folder}/txt/*.txt", required=False):
                report.warn(f"{config}: test_missing")
                continue
            counts = report.split(config, split)
            examples: list[Example] = []
            for doc_id, text, path, content in brat.documents(files, f"{folder}/txt/*.txt", f"{folder}/ann/*.ann"):
                where = f"multiclinner: {path}"
                if split == "train":
                    in_train[doc_id] = path
                elif doc_id in in_train:
                    raise DataError(f"{where}: the document is also in train ({in_train[doc_id]})")
                mentions = brat.mentions(content, text, (config.upper(),), report, where)
                examples.append(brat.example(doc_id, text, mentions, counts))
            yield config, split, examples
