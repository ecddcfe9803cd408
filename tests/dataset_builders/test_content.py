"""What the examples say, against a second, plain reading of the same files: samples, and the real files if there."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ita_med.build_report import BuildReport, SplitReport
from ita_med.dataset_builders import build
from ita_med.dataset_builders.datasets.e3c import crf_items
from ita_med.dataset_builders.datasets.e3c.xmi import XmiDocument, XmiMention
from ita_med.dataset_builders.formats import iob
from ita_med.errors import DataError
from ita_med.schema import UNKNOWN_VALUES, ChoiceExample, FormExample, RelationExample, SpanExample

CUSTOM = "{http:///webanno/custom.ecore}"
ID = "{http://www.omg.org/XMI}id"


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.real_data)])
def mirror(request: pytest.FixtureRequest) -> str:
    return "embedded" if request.param == "embedded" else request.getfixturevalue("real_mirror")


def folder(name: str, mirror: str) -> Path:
    return build.folder(name) / "sample" if mirror == "embedded" else Path(mirror, name)


def examples(name: str, mirror: str, *configs: str) -> dict[tuple[str, str], list[Any]]:
    found = build.examples(name, list(configs), files=build.open_files(name, mirror))
    return {(config, split): group for config, split, group in found}


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


# ----- questions and forms -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "split", "file"),
    [
        ("questions", "test", "dataset.jsonl"),
        ("hard", "test", "dataset_hard.jsonl"),
        ("shots", "train", "5_shots.jsonl"),
    ],
)
def test_med_ita_keeps_question_options_and_gold(mirror: str, config: str, split: str, file: str) -> None:
    group: list[ChoiceExample] = examples("med_ita", mirror, config)[config, split]
    for example, row in zip(group, json_lines(folder("med_ita", mirror) / file), strict=True):
        options = {letter: text for option in row["options"] for letter, text in option.items()}
        assert example.question == row["question"]
        assert example.options == list(options.values())
        assert example.options[example.answer] == options[row["answer"]]
        assert example.topic.replace(" ", "_") == row["category"].replace(" ", "_")
        assert example.meta == {"macrocategory": row["macrocategory"]}
    assert len({example.answer for example in group}) > 1


def test_dyspnea_gold_is_upstreams(mirror: str) -> None:
    group: list[FormExample] = examples("dyspnea_crf", mirror, "gold")["gold", "validation"]
    rows = json_lines(folder("dyspnea_crf", mirror) / "development_data" / "dev_gt.jsonl")
    for example, row in zip(group, rows, strict=True):
        assert example.id == row["document_id"]
        upstream = [(a["item"], a["ground_truth"]) for a in row["annotations"]]
        assert [(item.name, item.value) for item in example.items] == upstream


def test_dyspnea_joins_notes_with_their_gold() -> None:
    group: list[FormExample] = examples("dyspnea_crf", "embedded", "dyspnea")["dyspnea", "validation"]
    sample = folder("dyspnea_crf", "embedded")
    notes = {r["document_id"]: r["clinical_note"] for r in json_lines(sample / "dyspnea-crf-development/data/it.jsonl")}
    gold = {r["document_id"]: r["annotations"] for r in json_lines(sample / "development_data/dev_gt.jsonl")}
    assert {e.id for e in group} == set(gold) == {name.removesuffix("_it") for name in notes}
    for example in group:
        assert example.text == notes[f"{example.id}_it"]
        assert [item.value for item in example.items] == [a["ground_truth"] for a in gold[example.id]]


def test_dyspnea_gold_of_github_wins_over_the_hubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITA_MED_UNPINNED", "1")
    root = Path(shutil.copytree(folder("dyspnea_crf", "embedded"), tmp_path / "dyspnea_crf"))
    notes = root / "dyspnea-crf-development/data/it.jsonl"
    text = notes.read_text("utf-8")
    assert '"certainly chronic"' in text
    notes.write_text(text.replace('"certainly chronic"', '"possibly chronic"', 1), "utf-8")
    report = BuildReport()
    files = build.open_files("dyspnea_crf", str(tmp_path))
    changed = {
        split: group for _, split, group in build.examples("dyspnea_crf", ["dyspnea"], files=files, report=report)
    }
    assert changed["validation"] == examples("dyspnea_crf", "embedded", "dyspnea")["dyspnea", "validation"]
    assert report.warnings["hub_gold_differs"] == 1


def test_dyspnea_hidden_gold_is_unknown_everywhere() -> None:
    group: list[FormExample] = examples("dyspnea_crf", "embedded", "dyspnea")["dyspnea", "test"]
    assert all(item.value in UNKNOWN_VALUES for example in group for item in example.items)
    assert all(example.meta == {"gold": "hidden"} for example in group)


# ----- tags --------------------------------------------------------------------------------------------------


def tags_of(example: SpanExample, tokens: list[str]) -> list[str]:
    """The IOB2 tags that the spans stand for."""
    tags, position = [], 0
    for token in tokens:
        assert example.text[position : position + len(token)] == token
        inside = [s for s in example.spans if s.start <= position < s.end]
        tags.append(f"{'B' if position == inside[0].start else 'I'}-{inside[0].label}" if inside else "O")
        position += len(token) + 1
    return tags


@pytest.mark.parametrize(
    ("config", "split", "file"),
    [("neoplasm", "train", "neoplasm_nllb_awesome_train"), ("neoplasm", "validation", "neoplasm_nllb_awesome_dev"),
     ("neoplasm", "test", "neoplasm_nllb_awesome_test"), ("glaucoma", "test", "glaucoma_nllb_awesome_test"),
     ("mixed", "test", "mixed_nllb_awesome_test")],
)  # fmt: skip
def test_abstrct_tags_can_be_read_back(mirror: str, config: str, split: str, file: str) -> None:
    group = examples("abstrct", mirror, config)[config, split]
    path = folder("abstrct", mirror) / "IT/nllb/argument_components/manual_revision" / f"it_{file}.tsv"
    blocks = [block.split("\n") for block in path.read_text("utf-8").strip("\n").split("\n\n")]
    for example, block in zip(group, blocks, strict=True):
        pairs = [line.split() for line in block]
        assert tags_of(example, [token for token, _ in pairs]) == [tag for _, tag in pairs]


@pytest.mark.parametrize(("split", "file"), [("train", "train"), ("validation", "dev"), ("test", "test")])
def test_casimedicos_tags_can_be_read_back(mirror: str, split: str, file: str) -> None:
    group = examples("casimedicos_arg", mirror, "arguments")["arguments", split]
    lines = (folder("casimedicos_arg", mirror) / "IT" / f"{file}.tsv").read_text("utf-8").split("\n")
    pairs = [(line.split("\t") if "\t" in line else line.split(" "))[:2] for line in lines if line.strip()]
    tags = [tag for example in group for tag in tags_of(example, example.text.replace("\n", " ").split(" "))]
    assert [token for e in group for token in e.text.replace("\n", " ").split(" ")] == [token for token, _ in pairs]
    differ = [(found, upstream) for found, (_, upstream) in zip(tags, pairs, strict=True) if found != upstream]
    if split == "train":  # the one I- without its B-, which is dropped
        assert differ
        assert {found for found, _ in differ} == {"O"}
        assert all(upstream.startswith("I-") for _, upstream in differ)
    else:
        assert differ == []


@pytest.mark.parametrize(
    ("tags", "spans", "dropped"),
    [
        ("O O O O", [], 0),
        ("B-Claim I-Claim O B-Claim", [("a bb", "Claim"), ("dddd", "Claim")], 0),
        ("B-Claim B-Claim I-Claim O", [("a", "Claim"), ("bb ccc", "Claim")], 0),
        ("B-Claim B-Premise I-Premise O", [("a", "Claim"), ("bb ccc", "Premise")], 0),
        ("O O O B-Claim", [("dddd", "Claim")], 0),
        ("I-Claim I-Claim O O", [], 1),
        ("I-Claim O I-Claim O", [], 2),
        ("B-Claim I-Premise I-Premise O", [("a", "Claim")], 1),
        ("B-Claim I-Premise I-Claim O", [("a", "Claim")], 2),
        ("B-Claim O I-Claim O", [("a", "Claim")], 1),
        ("I-Claim I-Premise O O", [], 2),
    ],
)
def test_iob(tags: str, spans: list[tuple[str, str]], dropped: int) -> None:
    report = SplitReport()
    text, found = iob.join(["a", "bb", "ccc", "dddd"], tags.split(), ("Claim", "Premise"), report, "here", orphans=2)
    assert text == "a bb ccc dddd"
    assert [(span.text, span.label) for span in found] == spans
    assert all(text[span.start : span.end] == span.text for span in found)
    assert report.dropped["i_without_b"] == dropped


@pytest.mark.parametrize("tag", ["B-claim", "B", "I", "", "E-Claim", "B-", "O-Claim", "-Claim", "BClaim"])
def test_unknown_tag(tag: str) -> None:
    with pytest.raises(DataError, match=r'^here: tag ".*" at token "a"'):
        iob.join(["a"], [tag], ("Claim",), SplitReport(), "here")


@pytest.mark.parametrize("text", ["x\n\ny\n", "x\n\n\n \ny", "\n\nx\r\n\r\ny\r\n"])
def test_blocks_end_at_blank_lines_only(text: str) -> None:
    assert [[line for _, line in block] for block in iob.blocks(text)] == [["x"], ["y"]]


def test_blocks_know_their_line_numbers() -> None:
    assert list(iob.blocks("\na\u2028b\nc\n\nd")) == [[(2, "a\u2028b"), (3, "c")], [(5, "d")]]


# ----- E3C ---------------------------------------------------------------------------------------------------


class Upstream:
    """One XMI file, read plainly: text of a mention by id, and the links as pairs of texts."""

    def __init__(self, path: Path) -> None:
        self.root = etree.parse(str(path)).getroot()
        self.text = self.root.find("{http:///uima/cas.ecore}Sofa").get("sofaString").encode("utf-16-le")
        self.by_id = {element.get(ID): element for element in self.root}

    def read(self, xmi_id: str) -> str:
        begin, end = (int(self.by_id[xmi_id].get(name)) for name in ("begin", "end"))
        return self.text[2 * begin : 2 * end].decode("utf-16-le")

    def links(self, kind: str, attribute: str) -> Counter[tuple[str, str, str]]:
        found: Counter[tuple[str, str, str]] = Counter()
        for element in self.root.iter(CUSTOM + kind):
            for link in (self.by_id[i] for i in element.get(attribute, "").split()):
                found[self.read(element.get(ID)), link.get("role"), self.read(link.get("target"))] += 1
        return found


@pytest.fixture
def layer1(mirror: str) -> dict[str, Upstream]:
    paths = (folder("e3c", mirror) / "data_annotation" / "Italian" / "layer1").glob("*.xml")
    return {path.stem: Upstream(path) for path in paths}


def by_document(groups: dict[tuple[str, str], list[RelationExample]]) -> dict[str, Counter[tuple[str, str, str]]]:
    found: dict[str, Counter[tuple[str, str, str]]] = {}
    for group in groups.values():
        for example in group:
            texts = [span.text for span in example.spans]
            links = found.setdefault(example.doc_id, Counter())
            links.update((texts[r.head], r.label, texts[r.tail]) for r in example.relations)
    return found


def test_e3c_results_pertain_to_the_right_tests(mirror: str, layer1: dict[str, Upstream]) -> None:
    found = by_document(examples("e3c", mirror, "clinkart"))
    assert set(found) == set(layer1)
    for name, document in layer1.items():
        expected = {(head, "PERTAINSTO", tail): n for (head, _, tail), n in document.links("RML", "PERTAINSTO").items()}
        assert found[name] == expected


def test_e3c_temporal_links_keep_role_and_direction(mirror: str, layer1: dict[str, Upstream]) -> None:
    found = by_document(examples("e3c", mirror, "temporal"))
    assert set(found) == set(layer1)
    for name, document in layer1.items():
        assert found[name] == document.links("EVENT", "TLINK")


def test_e3c_full_holds_all_links_under_their_kind(mirror: str, layer1: dict[str, Upstream]) -> None:
    found = by_document(examples("e3c", mirror, "full"))
    kinds = {"TLINK": ("EVENT", "TLINK"), "ALINK": ("EVENT", "ALINK"), "TIMEXLINK": ("TIMEX3", "timexLink")}
    for name, document in layer1.items():
        expected: Counter[tuple[str, str, str]] = Counter()
        for kind, place in kinds.items():
            for (head, role, tail), n in document.links(*place).items():
                expected[head, f"{kind}:{role}", tail] += n
        for (head, _, tail), n in document.links("RML", "PERTAINSTO").items():
            expected[head, "PERTAINSTO", tail] += n
        assert found[name] == expected


def test_e3c_sentences_lose_no_mention(mirror: str, layer1: dict[str, Upstream]) -> None:
    found: Counter[tuple[str, str, str]] = Counter()
    for group in examples("e3c", mirror, "mentions").values():
        found.update((example.doc_id, span.label, span.text) for example in group for span in example.spans)
    expected = Counter(
        (name, kind, document.read(element.get(ID)))
        for name, document in layer1.items()
        for kind in ("CLINENTITY", "EVENT", "ACTOR", "BODYPART", "TIMEX3", "RML")
        for element in document.root.iter(CUSTOM + kind)
    )
    assert found == expected


def test_e3c_concepts_stand_beside_their_spans(mirror: str, layer1: dict[str, Upstream]) -> None:
    found = Counter(
        (example.doc_id, span.text, cui)
        for group in examples("e3c", mirror, "disorder").values()
        for example in group
        if "cui" in example.meta
        for span, cui in zip(example.spans, example.meta["cui"], strict=True)
        if cui
    )
    expected = Counter(
        (name, document.read(element.get(ID)), element.get("entityID"))
        for name, document in layer1.items()
        for element in document.root.iter(CUSTOM + "CLINENTITY")
        if element.get("entityID")
    )
    assert found == expected
    assert expected


def fold(text: str) -> str:
    return " ".join(text.split())


def test_e3c_forms_say_what_is_annotated(mirror: str, layer1: dict[str, Upstream]) -> None:
    """A known test has its one result; an unknown one has none; an unknown disorder is not in the text."""
    groups: dict[tuple[str, str], list[FormExample]] = examples("e3c", mirror, "crf")
    for example in [example for group in groups.values() for example in group]:
        results: dict[str, set[str]] = {}
        for result, _, test in layer1[example.id].links("RML", "PERTAINSTO"):
            results.setdefault(fold(test).lower(), set()).add(fold(result))
        names = [item.name for item in example.items]
        assert names == sorted(names)
        asked = {item.name.removeprefix("esame: "): item.value for item in example.items if item.kind == "text"}
        known = {name: {value} for name, value in asked.items() if value != crf_items.NOT_KNOWN}
        assert known == {name: values for name, values in results.items() if len(values) == 1}
        assert not (asked.keys() - known.keys()) & results.keys()
        for item in example.items:
            if item.name.startswith("presenza di: "):
                absent = item.name.removeprefix("presenza di: ") not in fold(example.text).lower()
                assert absent == (item.value == crf_items.NOT_KNOWN)


def test_e3c_forms_deny_what_is_denied(mirror: str, layer1: dict[str, Upstream]) -> None:
    groups: dict[tuple[str, str], list[FormExample]] = examples("e3c", mirror, "crf")
    values: Counter[str] = Counter()
    for example in [example for group in groups.values() for example in group]:
        document = layer1[example.id]
        places = {kind: [(int(e.get("begin")), int(e.get("end")), e) for e in document.root.iter(CUSTOM + kind)]
                  for kind in ("CLINENTITY", "EVENT")}  # fmt: skip
        found: dict[str, set[str]] = {}
        for begin, end, disorder in places["CLINENTITY"]:
            inside = [event for start, stop, event in places["EVENT"] if begin <= start and stop <= end]
            if len(inside) == 1:
                name = fold(document.read(disorder.get(ID))).lower()
                found.setdefault(name, set()).add("no" if inside[0].get("polarity") == "NEG" else "sì")
        asked = {i.name.removeprefix("presenza di: "): {i.value} for i in example.items if "presenza" in i.name}
        known = {name: value for name, value in asked.items() if value != {crf_items.NOT_KNOWN}}
        assert known == {name: polarities for name, polarities in found.items() if len(polarities) == 1}
        values.update(value for polarities in known.values() for value in polarities)
    assert values["sì"] > values["no"] > 0


@pytest.mark.parametrize(
    ("age", "band"),
    [
        ("0D", "meno di 2 anni"),
        ("18M", "meno di 2 anni"),
        ("24M", "2-17 anni"),
        ("17Y", "2-17 anni"),
        ("18Y", "18-64 anni"),
        ("64A", "18-64 anni"),
        ("65Y", "65 anni e oltre"),
        ("104W", "2-17 anni"),
    ],
)
def test_e3c_age_band(age: str, band: str) -> None:
    patient = XmiMention("1", "ACTOR", 0, 5, 0, {"role": "PATIENT", "age": age})
    doctor = XmiMention("2", "ACTOR", 0, 5, 0, {"role": "H-PROFESSIONAL", "age": "40Y"})
    assert crf_items.age_band(XmiDocument("IT1", "Donna", [(0, 5)], [doctor, patient], [])) == band


def test_e3c_layer3_is_the_collection() -> None:
    group = examples("e3c", "embedded", "layer3")["layer3", "train"]
    for example in group:
        path = folder("e3c", "embedded") / "data_collection" / "Italian" / "layer3" / f"{example.id}.json"
        record = json.loads(path.read_text("utf-8"))
        row = (example.text, example.source, example.licence, example.url)
        assert row == (record["text"], record["source"], record["licence"], record["url"])
    assert len(group) == 24
