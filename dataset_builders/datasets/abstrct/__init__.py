"""AbstRCT-IT: argument components (Claim, Premise) in Italian abstracts of randomised trials.

Upstream  https://github.com/hitz-zentroa/multilingual-abstrct (NLLB translation, projection manually revised)
Format    `token TAG` per line, separated by one space; a blank line ends a sentence; IOB2 tags
Split     neoplasm train, dev and test; glaucoma and mixed are test sets of other diseases
Quirks    no document ids; glued tokens of the translation ("e'una") are kept as they are; a few
          lines end in a space
"""

from __future__ import annotations

from collections.abc import Iterator

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.formats import iob
from ita_med.errors import DataError
from ita_med.schema import Example, SpanExample
from ita_med.sources import GitHub, RawFiles
from ita_med.text import decode

FOLDER = "IT/nllb/argument_components/manual_revision"
FILES = {
    "neoplasm": {
        "train": "it_neoplasm_nllb_awesome_train.tsv",
        "validation": "it_neoplasm_nllb_awesome_dev.tsv",
        "test": "it_neoplasm_nllb_awesome_test.tsv",
    },
    "glaucoma": {"test": "it_glaucoma_nllb_awesome_test.tsv"},
    "mixed": {"test": "it_mixed_nllb_awesome_test.tsv"},
}
VERSION = "1.0.0"
SOURCES = (
    GitHub(
        "hitz-zentroa/multilingual-abstrct",
        commit="8076db35aab7c3f1b5c4937eb9dcfde37ee19926",
        files=tuple(f"{FOLDER}/{file}" for splits in FILES.values() for file in splits.values()),
    ),
)
CONFIGS = dict.fromkeys(FILES, "spans")
LABELS = ("Claim", "Premise")


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield (config, split, one example per sentence in file order)."""
    for config in configs:
        for split, file in FILES[config].items():
            path = f"{FOLDER}/{file}"
            counts = report.split(config, split)
            examples: list[Example] = []
            for n, block in enumerate(iob.blocks(decode(files.read(path), f"abstrct: {file}"))):
                tokens, tags = [], []
                for number, line in block:
                    token, separator, tag = line.rstrip(" ").rpartition(" ")
                    report.warn("trailing_space", line.endswith(" "))
                    if not separator or not token or " " in token:
                        raise DataError(f'abstrct: {file}, line {number}: "{line[:60]}", expected "token TAG"')
                    tokens.append(token)
                    tags.append(tag)
                where = f"abstrct: {file}, sentence at line {block[0][0]}"
                text, spans = iob.join(tokens, tags, LABELS, counts, where)
                examples.append(SpanExample(f"{config}-{split}-{n:05}", "", text, spans))
            yield config, split, examples
