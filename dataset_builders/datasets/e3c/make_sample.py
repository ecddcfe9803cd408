"""Turn sample.txt (readable, annotated by hand) into the files of sample/, in E3C's own formats.

    python -m ita_med.dataset_builders.datasets.e3c.make_sample

sample.txt: `= ID LAYER SPLIT-OR-SOURCE` opens a document; a line is a sentence; an indented line annotates it:
`TYPE text[@2] [#id] [> target ids] [| attribute=value …]` or `SOURCE RELATION-KIND …` links such as
`TLINK e2 BEFORE e1`. The two characters `\\n` stand for a line break inside a sentence.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

import orjson

from ita_med.dataset_builders.datasets.e3c.xmi import MENTION_TYPES

HERE = Path(__file__).parent
LINK_KINDS = {"TLINK": "EVENTTLINKLink", "ALINK": "EVENTALINKLink", "TIMEXLINK": "TIMEX3TimexLinkLink"}
LICENCE = "CC0 (synthetic text written for ita-med)"
EVENT_DEFAULTS = (
    'contextualAspect="N/A" contextualModality="ACTUAL" degree="N/A" docTimeRel="BEFORE" '
    'eventType="N/A" permanence="FINITE"'
)


@dataclass
class Annotation:
    type: str
    begin: int
    end: int
    attributes: dict[str, str]
    pertains: list[str] = field(default_factory=list)
    links: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass
class Sample:
    id: str
    layer: str
    group: str
    text: str = ""
    sentences: list[tuple[int, int]] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    named: dict[str, Annotation] = field(default_factory=dict)

    def add_sentence(self, line: str) -> None:
        if self.sentences:
            self.text += "\r\n" if len(self.sentences) % 3 == 0 else " "
        start = len(self.text)
        self.text += line
        self.sentences.append((start, len(self.text)))

    def annotate(self, line: str) -> None:
        kind = line.split(" ", 1)[0]
        if kind in LINK_KINDS:
            _, source, relation, target = line.split()
            self.named[source].links.append((LINK_KINDS[kind], relation, target))
            return
        body, _, attributes = line.partition(" | ")
        body, _, targets = body.partition(" > ")
        body, _, name = body.partition(" #")
        text = body.split(" ", 1)[1].strip()
        text, _, nth = text.partition("@")
        start, end = self.sentences[-1]
        begin = start - 1
        for _ in range(int(nth or 1)):
            match = re.compile(rf"(?<!\w){re.escape(text)}(?!\w)").search(self.text, begin + 1, end)
            assert match, f"{self.id}: {text!r} is not in {self.text[start:end]!r}"
            begin = match.start()
        pairs = dict(pair.split("=", 1) for pair in attributes.split())
        annotation = Annotation(kind, begin, begin + len(text), pairs, targets.split())
        self.annotations.append(annotation)
        if name:
            self.named[name.strip()] = annotation


def read_samples(text: str) -> list[Sample]:
    samples: list[Sample] = []
    for raw in text.split("\n"):
        line = raw.replace("\\n", "\r\n")
        if line.startswith("= "):
            sample_id, layer, group = line[2:].split()
            samples.append(Sample(sample_id, layer, group))
        elif line.strip() == "TRAILING-SPACE":
            samples[-1].text += " "
        elif line.startswith("  "):
            samples[-1].annotate(line.strip())
        elif line.strip() and not line.startswith("#"):
            samples[-1].add_sentence(line)
    return samples


def xmi(sample: Sample) -> str:
    """The document as WebAnno writes it: UTF-16 offsets, one element per annotation, links as separate elements."""

    def offset(position: int) -> int:
        return len(sample.text[:position].encode("utf-16-le")) // 2

    ids = {id(a): 5000 + 10 * n for n, a in enumerate(sample.annotations)}
    lines, link_id = [], 9000
    for n, match in enumerate(re.finditer(r"\w+|[^\w\s]", sample.text)):
        place = f'begin="{offset(match.start())}" end="{offset(match.end())}"'
        lines.append(f'<type4:Token xmi:id="{n + 10}" sofa="1" {place} order="0"/>')
    for n, (start, end) in enumerate(sample.sentences):
        lines.append(f'<type4:Sentence xmi:id="{4000 + n}" sofa="1" begin="{offset(start)}" end="{offset(end)}"/>')
    for annotation in sorted(sample.annotations, key=lambda a: MENTION_TYPES.index(a.type)):
        attributes = dict(annotation.attributes)
        linked = [(kind, role, ids[id(sample.named[target])]) for kind, role, target in annotation.links]
        linked += [("RMLPERTAINSTOLink", "PERTAINS", ids[id(sample.named[target])]) for target in annotation.pertains]
        for kind, role, target in linked:
            name = {"EVENTTLINKLink": "TLINK", "EVENTALINKLink": "ALINK", "RMLPERTAINSTOLink": "PERTAINSTO"}.get(
                kind, "timexLink"
            )
            attributes[name] = f"{attributes.get(name, '')} {link_id}".strip()
            lines.append(f'<custom:{kind} xmi:id="{link_id}" role="{role}" target="{target}"/>')
            link_id += 1
        extra = ""
        if annotation.type == "EVENT":
            attributes.setdefault("polarity", "POS")
            extra = " " + EVENT_DEFAULTS
        written = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
        lines.append(
            f'<custom:{annotation.type} xmi:id="{ids[id(annotation)]}" sofa="1" '
            f'begin="{offset(annotation.begin)}" end="{offset(annotation.end)}"{written}{extra}/>'
        )
    about = f'docName="{sample.id}" docLicense="{LICENCE}" note=""'
    lines.append(f'<custom:METADATA xmi:id="9998" sofa="1" begin="0" end="0" {about}/>')
    text = quoteattr(sample.text, {"\r": "&#13;", "\n": "&#10;"})
    lines.append(f'<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString={text}/>')
    spaces = {
        "xmi": "http://www.omg.org/XMI",
        "cas": "http:///uima/cas.ecore",
        "type4": "http:///de/tudarmstadt/ukp/dkpro/core/api/segmentation/type.ecore",
        "custom": "http:///webanno/custom.ecore",
    }
    declared = " ".join(f'xmlns:{name}="{uri}"' for name, uri in spaces.items())
    body = "\n".join(f"    {line}" for line in ['<cas:NULL xmi:id="0"/>', *lines])
    return f'<?xml version="1.0" encoding="UTF-8"?><xmi:XMI {declared} xmi:version="2.0">\n{body}\n</xmi:XMI>\n'


def collection_record(sample: Sample) -> bytes:
    record = {
        "authors": [],
        "doi": "",
        "publication_date": "2026-01-01",
        "id": sample.id,
        "url": "",
        "source": {"AIFA": "Foglietti sintetici", "MIUR": "Quesiti sintetici"}.get(sample.group, "Giornale sintetico"),
        "source_url": "",
        "licence": LICENCE,
        "language": "it",
        "type": "synthetic",
        "description": "",
        "text": sample.text,
    }
    return orjson.dumps(record, option=orjson.OPT_INDENT_2)


def main() -> None:
    samples = read_samples((HERE / "sample.txt").read_text("utf-8"))
    out = HERE / "sample"
    shutil.rmtree(out, ignore_errors=True)
    for sample in samples:
        if sample.layer == "layer3":
            path = out / "data_collection" / "Italian" / "layer3" / f"{sample.id}.json"
            content = collection_record(sample)
        else:
            path = out / "data_annotation" / "Italian" / sample.layer / f"{sample.id}.xml"
            content = xmi(sample).encode("utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    train = ", ".join(f"'{s.id}'" for s in samples if s.group == "train")
    split = out / "documentation" / "train_test_split.txt"
    split.parent.mkdir(parents=True)
    split.write_text(
        "Documents to train on; all others are test documents.\n\n\n"
        f"ENGLISH\n'EN900001'\n\nITALIAN\n{train}\n\nSPANISH\n'ES900001'\n",
        "utf-8",
    )


if __name__ == "__main__":
    main()
