"""CLinkaRT, RadGraph-IT, HUMADEX, synthetic CRF, E3C sentences and dyspnea notes: what is read, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ita_med.build_report import BuildReport
from ita_med.dataset_builders import build
from ita_med.errors import DataError
from ita_med.schema import Example, FormExample, RelationExample, SpanExample, TextExample

Damage = Callable[[Path], object]
Command = Callable[..., Any]

CLINKART = "Clinkart_training_data/training.txt"
RADGRAPH = "RadGraph-IT-Dataset/train.json"
NO_SPLIT = "RadGraph-IT-Dataset/senza_split.json"
HUMADEX = "italian_ner_dataset/it_medical_data.jsonl"
SYNTHETIC = "synthetic-crf-train/data/it-00000-of-00001.parquet"
NOTES = "dyspnea-clinical-notes/data/it.jsonl"
TRAIN = "e3c-sentences-IT-native/data/train-00000-of-00001.jsonl"
TEST = "e3c-sentences-IT-native/data/test-00000-of-00001.jsonl"


def sample(name: str) -> Path:
    return build.folder(name) / "sample"


def read(name: str, mirror: Path | None = None) -> tuple[dict[str, list[Example]], BuildReport]:
    """Split -> examples of the only config, and the report."""
    report = BuildReport()
    files = build.open_files(name, str(mirror) if mirror else "embedded")
    splits = {split: group for _, split, group in build.examples(name, files=files, report=report)}
    return splits, report


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def copied(name: str, tmp_path: Path, damage: Damage) -> Path:
    mirror = tmp_path / "mirror"
    shutil.copytree(sample(name), mirror / name)
    damage(mirror / name)
    return mirror


# ----- CLinkaRT ------------------------------------------------------------------------------------------------------


def test_clinkart_links_are_those_of_the_file() -> None:
    expected: dict[str, set[tuple[Any, ...]]] = {}
    for line in (sample("clinkart") / CLINKART).read_text("utf-8").splitlines():
        if match := re.fullmatch(r"(\d+)\|t\|(.*)", line):
            expected[match[1]] = set()
        elif line:
            doc_id, _, result, event, result_text, event_text = line.split("\t")
            ends = [int(n) for offsets in (result, event) for n in offsets.split("-")]
            expected[doc_id].add((*ends, result_text, event_text))
    splits, report = read("clinkart")
    assert set(splits) == {"train"}
    assert [example.id for example in splits["train"]] == list(expected)
    for example in splits["train"]:
        assert isinstance(example, RelationExample)
        pairs = [(example.spans[r.head], example.spans[r.tail]) for r in example.relations]
        assert {(a.label, b.label) for a, b in pairs} <= {("RML", "EVENT")}
        assert {(a.start, a.end, b.start, b.end, a.text, b.text) for a, b in pairs} == expected[example.id]
        assert {r.label for r in example.relations} <= {"PERTAINSTO"}
    assert report.split("clinkart", "train").dropped == {"repeated_link": 1}


def test_clinkart_a_test_with_two_results_is_one_span_and_a_bar_belongs_to_the_text() -> None:
    by_id = {example.id: example for example in read("clinkart")[0]["train"]}
    pressure, bars, empty = by_id["900004"], by_id["900007"], by_id["900003"]
    assert isinstance(pressure, RelationExample)
    assert isinstance(bars, RelationExample)
    assert isinstance(empty, RelationExample)
    assert [span.text for span in pressure.spans if span.label == "EVENT"] == ["PA"]
    assert len(pressure.relations) == 2
    assert bars.text == "TC encefalo: esame negativo | RM encefalo: lesione di 12 mm."
    assert (empty.spans, empty.relations) == ([], [])


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_clinkart_line_ends_and_byte_order_mark_change_nothing(tmp_path: Path, ends: bytes, mark: bytes) -> None:
    def damage(root: Path) -> None:
        (root / CLINKART).write_bytes(mark + (root / CLINKART).read_bytes().replace(b"\n", ends))

    assert read("clinkart", copied("clinkart", tmp_path, damage))[0] == read("clinkart")[0]


def test_clinkart_is_read_from_the_archive(tmp_path: Path) -> None:
    def pack(root: Path) -> None:
        with zipfile.ZipFile(root / "Clinkart_training_data.zip", "w") as archive:
            archive.write(root / CLINKART, CLINKART)
        shutil.rmtree(root / "Clinkart_training_data")

    assert read("clinkart", copied("clinkart", tmp_path, pack))[0] == read("clinkart")[0]


# ----- RadGraph-IT ---------------------------------------------------------------------------------------------------


def test_radgraph_token_ends_are_inclusive() -> None:
    examples = {example.id: example for group in read("radgraph_it")[0].values() for example in group}
    for path in sorted((sample("radgraph_it") / "RadGraph-IT-Dataset").glob("*.json")):
        for key, document in json.loads(path.read_text("utf-8")).items():
            example = examples.pop(f"{path.stem}/{key}")
            assert isinstance(example, RelationExample)
            assert example.text == document["text"]
            tokens = document["text"].split()
            entities = list(document["entities"].values())
            assert [span.label for span in example.spans] == [entity["label"] for entity in entities]
            for span, entity in zip(example.spans, entities, strict=True):
                assert span.text.split() == tokens[entity["start_ix"] : entity["end_ix"] + 1]
                assert len(example.text[: span.start].split()) == entity["start_ix"]
            ids = list(document["entities"])
            expected = {(ids[r.head], r.label, ids[r.tail]) for r in example.relations}
            assert expected == {(i, *link) for i, e in document["entities"].items() for link in e["relations"]}
    assert not examples


def test_radgraph_follows_data_split_and_else_the_hash_of_the_document() -> None:
    splits, report = read("radgraph_it")
    found = {example.id: split for split, group in splits.items() for example in group}
    assert {split for name, split in found.items() if name.startswith("dev/")} == {"validation"}
    assert {split for name, split in found.items() if name.startswith("test/")} == {"test"}
    for name in (f"senza_split/{n}" for n in range(4)):
        fifth = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 5
        assert found[name] == ("test" if fifth == 0 else "train")
    assert report.warnings["no_upstream_split"] == 4
    assert report.split("radgraph", "train").dropped == {"repeated_relation": 1}


def test_radgraph_without_any_split_gets_both_parts(tmp_path: Path) -> None:
    document = json.loads((sample("radgraph_it") / NO_SPLIT).read_text("utf-8"))["0"]
    many = {str(n): document | {"text": f"Referto {n} ."} for n in range(60)}
    mirror = copied("radgraph_it", tmp_path, lambda root: shutil.rmtree(root / "RadGraph-IT-Dataset"))
    (mirror / "radgraph_it" / "RadGraph-IT-Dataset").mkdir()
    (mirror / "radgraph_it" / "RadGraph-IT-Dataset" / "all.json").write_text(json.dumps(many), "utf-8")
    splits, report = read("radgraph_it", mirror)
    expected = [n for n in many if int(hashlib.sha256(f"all/{n}".encode()).hexdigest()[:8], 16) % 5 == 0]
    assert [example.id for example in splits["test"]] == [f"all/{n}" for n in expected]
    assert len(splits["train"]) == 60 - len(expected)
    assert report.warnings["no_upstream_split"] == 60


# ----- HUMADEX -------------------------------------------------------------------------------------------------------


def mentions(words: list[str], tags: list[int]) -> list[tuple[str, str]]:
    """(label, text) of well-formed IOBES, written another way than in the builder."""
    code = "".join("OBIESBIESBIES"[tag] for tag in tags)
    labels = ["", *["PROBLEM"] * 4, *["TREATMENT"] * 4, *["TEST"] * 4]
    return [
        (labels[tags[match.start()]], " ".join(words[match.start() : match.end()]))
        for match in re.finditer("S|BI*E", code)
    ]


def test_humadex_mentions_are_those_of_the_tags() -> None:
    rows = lines(sample("humadex") / HUMADEX)
    splits, report = read("humadex")
    assert set(splits) == {"train"}
    for row, example in list(zip(rows, splits["train"], strict=True))[:-2]:
        assert isinstance(example, SpanExample)
        assert example.text == " ".join(row["sentence"])
        assert [(span.label, span.text) for span in example.spans] == mentions(row["sentence"], row["tags"])
    assert report.warnings["repeated_sentence"] == 1


def test_humadex_broken_runs_are_counted() -> None:
    splits, report = read("humadex")
    cut, orphan = splits["train"][-2:]
    assert isinstance(cut, SpanExample)
    assert isinstance(orphan, SpanExample)
    assert [(span.label, span.text) for span in cut.spans] == [("PROBLEM", "grave insufficienza")]
    assert orphan.spans == []
    assert report.split("humadex", "train").dropped == {"i_or_e_without_b": 1}
    assert report.warnings["mention_without_end"] == 1


@pytest.mark.parametrize(
    ("tags", "expected", "unended", "orphans"),
    [
        ([1, 3, 1, 3], ["a b", "c d"], 0, 0),
        ([1, 2, 2, 3], ["a b c d"], 0, 0),
        ([4, 4, 8, 12], ["a", "b", "c", "d"], 0, 0),
        ([1, 2, 1, 3], ["a b", "c d"], 1, 0),
        ([1, 6, 7, 0], ["a"], 1, 1),
        ([2, 2, 3, 4], ["d"], 0, 1),
        ([3, 3, 0, 4], ["d"], 0, 2),
        ([4, 2, 0, 1], ["a", "d"], 1, 1),
        ([2, 10, 11, 0], [], 0, 2),
    ],
)
def test_humadex_every_run_of_tags(
    tmp_path: Path, tags: list[int], expected: list[str], unended: int, orphans: int
) -> None:
    good = [{"sentence": ["febbre", "alta", str(n)], "tags": [1, 3, 0]} for n in range(20)]
    rows = [*good, {"sentence": list("abcd"), "tags": tags}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    splits, report = read("humadex", copied("humadex", tmp_path, lambda root: (root / HUMADEX).write_text(text)))
    last = splits["train"][-1]
    assert isinstance(last, SpanExample)
    assert [span.text for span in last.spans] == expected
    assert report.warnings["mention_without_end"] == unended
    assert report.split("humadex", "train").dropped["i_or_e_without_b"] == orphans


def test_humadex_reads_parquet_and_the_other_column_names(tmp_path: Path) -> None:
    rows = [{"tokens": row["sentence"], "ner_tags": row["tags"]} for row in lines(sample("humadex") / HUMADEX)]

    def as_parquet(root: Path) -> None:
        (root / HUMADEX).unlink()
        pq.write_table(pa.Table.from_pylist(rows), root / "italian_ner_dataset" / "it_medical_data.parquet")

    assert read("humadex", copied("humadex", tmp_path, as_parquet))[0] == read("humadex")[0]


# ----- synthetic CRF and notes ---------------------------------------------------------------------------------------


def test_synthetic_forms_are_those_of_the_rows() -> None:
    rows = pq.read_table(sample("synthetic_crf") / SYNTHETIC).to_pylist()
    splits, report = read("synthetic_crf")
    assert set(splits) == {"train"}
    assert [f"{example.id}_it" for example in splits["train"]] == [row["document_id"] for row in rows]
    for row, example in zip(rows, splits["train"], strict=True):
        assert isinstance(example, FormExample)
        assert example.text == row["clinical_note"]
        expected = [(a["item"], a["ground_truth"]) for a in row["annotations"]]
        assert [(item.name, item.value) for item in example.items] == expected
    kinds = Counter(item.kind for item in splits["train"][0].items)  # type: ignore[union-attr]
    assert kinds == {"categorical": 110, "text": 24}
    assert "repeated_note" not in report.warnings


def test_notes_keep_repeats_and_drop_the_empty_one() -> None:
    rows = [row for row in lines(sample("dyspnea_notes") / NOTES) if row["clinical_note"].strip()]
    splits, report = read("dyspnea_notes")
    assert set(splits) == {"train"}
    assert [(f"{e.id}_it", e.text) for e in splits["train"] if isinstance(e, TextExample)] == [
        (row["document_id"], row["clinical_note"]) for row in rows
    ]
    assert report.split("notes", "train").dropped == {"empty_note": 1}
    assert report.warnings["repeated_note"] == 1
    assert {e.source for e in splits["train"] if isinstance(e, TextExample)} == {"NLP-FBK/dyspnea-clinical-notes"}


@pytest.mark.parametrize(
    ("name", "file"), [("synthetic_crf", "synthetic-crf-train"), ("dyspnea_notes", "dyspnea-clinical-notes")]
)
def test_the_language_files_may_lie_in_the_repository_itself(tmp_path: Path, name: str, file: str) -> None:
    def lift(root: Path) -> None:
        for path in list((root / file / "data").iterdir()):
            path.rename(root / file / path.name)

    assert read(name, copied(name, tmp_path, lift))[0] == read(name)[0]


# ----- E3C sentences -------------------------------------------------------------------------------------------------


def test_e3c_sentences_mentions_are_those_of_the_rows() -> None:
    splits, report = read("e3c_sentences")
    assert list(splits) == ["train", "validation", "test"]
    for split, group in splits.items():
        rows = lines(sample("e3c_sentences") / TRAIN.replace("train-", f"{split}-"))
        for row, example in zip(rows, group, strict=True):
            assert isinstance(example, SpanExample)
            assert (example.text, example.doc_id) == (row["sentence"], row["original_id"])
            found = [([span.start, span.end], span.label, span.text) for span in example.spans]
            assert found == [(e["offsets"], e["type"], e["text"]) for e in row["entities"]]
            kept = [{key: e[key] for key in ("id", "role", "semantic_type_id")} for e in row["entities"]]
            assert example.meta == ({"entities": kept} if kept else {})
    assert set(report.warnings) == {"synthetic_sample"}


def test_e3c_sentences_a_document_in_two_splits_is_counted(tmp_path: Path) -> None:
    def share(root: Path) -> None:
        text = (root / TEST).read_text("utf-8")
        (root / TEST).write_text(text.replace('"original_id": "IT990020"', '"original_id": "IT990011"'), "utf-8")

    splits, report = read("e3c_sentences", copied("e3c_sentences", tmp_path, share))
    assert report.warnings["document_in_two_splits"] == 1
    assert len(splits["test"]) == 14


def test_e3c_sentences_a_sentence_outside_its_document_is_kept_and_counted(tmp_path: Path) -> None:
    def change(root: Path) -> None:
        rows = lines(root / TEST)
        rows[3]["original_text"] = "Altro testo."
        (root / TEST).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    splits, report = read("e3c_sentences", copied("e3c_sentences", tmp_path, change))
    assert report.warnings["sentence_not_in_document"] == 1
    assert len(splits["test"]) == 14


def test_e3c_sentences_reads_parquet_in_a_folder_per_split(tmp_path: Path) -> None:
    def move(root: Path) -> None:
        data = root / "e3c-sentences-IT-native" / "data"
        for path in list(data.iterdir()):
            split = path.name.partition("-")[0]
            (data.parent / split).mkdir()
            pq.write_table(pa.Table.from_pylist(lines(path)), data.parent / split / "part.parquet")
        shutil.rmtree(data)

    assert read("e3c_sentences", copied("e3c_sentences", tmp_path, move))[0] == read("e3c_sentences")[0]


# ----- bad input -----------------------------------------------------------------------------------------------------


def swap(path: str, old: str, new: str) -> Damage:
    def damage(root: Path) -> None:
        text = (root / path).read_text("utf-8")
        assert old in text
        (root / path).write_text(text.replace(old, new, 1), "utf-8")

    return damage


def record(path: str, number: int, **changes: Any) -> Damage:
    """Change (or, with None, take away) keys of the object in one line."""

    def damage(root: Path) -> None:
        rows = lines(root / path)
        changed = rows[number - 1] | changes
        rows[number - 1] = {key: value for key, value in changed.items() if value is not None}
        (root / path).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    return damage


def radgraph(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Change document 0 of the train file."""

    def damage(root: Path) -> None:
        documents = json.loads((root / RADGRAPH).read_text("utf-8"))
        change(documents["0"])
        (root / RADGRAPH).write_text(json.dumps(documents), "utf-8")

    return damage


def form(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Change row 1 of the synthetic forms."""

    def damage(root: Path) -> None:
        rows = pq.read_table(root / SYNTHETIC).to_pylist()
        change(rows[0])
        if rows[0].keys() != rows[1].keys():
            rows = rows[:1]
        pq.write_table(pa.Table.from_pylist(rows), root / SYNTHETIC)

    return damage


def entity(**changes: Any) -> Damage:
    """Change the first mention of the first E3C sentence."""

    def damage(root: Path) -> None:
        rows = lines(root / TRAIN)
        rows[0]["entities"][0].update(changes)
        (root / TRAIN).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    return damage


def write(path: str, content: bytes) -> Damage:
    return lambda root: (root / path).write_bytes(content)


FIRST_LINK = "48-56\t30-40\t8,2 g/dl\tEmoglobina"
BAD = {
    # name: (dataset, damage, what the message names)
    "clinkart result": ("clinkart", swap(CLINKART, "48-56", "49-57"), (CLINKART, "line 2", '"8,2 g/dl"', "RML")),
    "clinkart event": ("clinkart", swap(CLINKART, "30-40", "30-39"), (CLINKART, "line 2", '"Emoglobina"', "EVENT")),
    "clinkart outside": ("clinkart", swap(CLINKART, "48-56", "480-488"), (CLINKART, "line 2", "outside")),
    "clinkart offsets": ("clinkart", swap(CLINKART, "48-56", "48,56"), (CLINKART, "line 2", '"48,56"', "start-end")),
    "clinkart fields": ("clinkart", swap(CLINKART, FIRST_LINK, "48-56"), (CLINKART, "line 2", "REL", "RML text")),
    "clinkart document": ("clinkart", swap(CLINKART, "900001\t", "900009\t"), (CLINKART, "line 2", '"900001"')),
    "clinkart title": ("clinkart", swap(CLINKART, "900002|t|", "900002|a|"), (CLINKART, "line 5", "docid|t|text")),
    "clinkart twice": ("clinkart", swap(CLINKART, "900003|t", "900001|t"), (CLINKART, "line 10", "twice")),
    "clinkart latin": ("clinkart", write(CLINKART, "1|t|è".encode("latin-1")), (CLINKART, "not UTF-8")),
    "radgraph end": (
        "radgraph_it",
        radgraph(lambda d: d["entities"]["1"].update(end_ix=6)),
        (RADGRAPH, "document 0, entity 1", "0 to 5"),
    ),
    "radgraph tokens": (
        "radgraph_it",
        radgraph(lambda d: d["entities"]["1"].update(start_ix=2, end_ix=2)),
        (RADGRAPH, "document 0, entity 1", '"pleurico"', '"versamento"'),
    ),
    "radgraph label": (
        "radgraph_it",
        radgraph(lambda d: d["entities"]["1"].update(label="OBS-DP")),
        (RADGRAPH, "document 0, entity 1", '"OBS-DP"', "Observation"),
    ),
    "radgraph relation": (
        "radgraph_it",
        radgraph(lambda d: d["entities"]["1"].update(relations=[["near", "2"]])),
        (RADGRAPH, "document 0, entity 1", '"near"', "located_at"),
    ),
    "radgraph target": (
        "radgraph_it",
        radgraph(lambda d: d["entities"]["1"].update(relations=[["modify", "9"]])),
        (RADGRAPH, "document 0, entity 1", '"9"'),
    ),
    "radgraph pair": (
        "radgraph_it",
        radgraph(lambda d: d["entities"]["1"].update(relations=[["modify", 2]])),
        (RADGRAPH, "document 0, entity 1", "[LABEL, ID]"),
    ),
    "radgraph key": ("radgraph_it", radgraph(lambda d: d.pop("data_source")), (RADGRAPH, "document 0", "data_source")),
    "radgraph split": (
        "radgraph_it",
        radgraph(lambda d: d.update(data_split="holdout")),
        (RADGRAPH, "document 0", '"holdout"', "train"),
    ),
    "radgraph text": ("radgraph_it", radgraph(lambda d: d.update(text=None)), (RADGRAPH, "document 0", '"text"')),
    "radgraph half": (
        "radgraph_it",
        write(RADGRAPH, rb'{"\ud800": {"text": "a", "entities": {}, "data_source": null, "data_split": null}}'),
        (RADGRAPH, "half a character"),
    ),
    "radgraph source": (
        "radgraph_it",
        radgraph(lambda d: d.update(data_source=[])),
        (RADGRAPH, "document 0", "source"),
    ),
    "radgraph list": ("radgraph_it", write(RADGRAPH, b"[]"), (RADGRAPH, "no object of documents")),
    "radgraph cut": ("radgraph_it", write(RADGRAPH, b'{"0": {'), (RADGRAPH, "is not JSON")),
    "humadex tag": ("humadex", record(HUMADEX, 2, tags=[0, 13, 0, 0]), (HUMADEX, "line 2", "tag 13", "0 to 12")),
    "humadex text tag": ("humadex", record(HUMADEX, 2, tags=[0, "B", 0, 0]), (HUMADEX, "line 2", "tag B", "0 to 12")),
    "humadex length": ("humadex", record(HUMADEX, 2, tags=[0, 0]), (HUMADEX, "line 2", "[4, 2]", "equal length")),
    "humadex word": (
        "humadex",
        record(HUMADEX, 2, sentence=["prescritta", "due parole", "al", "bisogno"]),
        (HUMADEX, "line 2", '"due parole"', "one word"),
    ),
    "humadex empty word": (
        "humadex",
        record(HUMADEX, 2, sentence=["prescritta", "", "al", "bisogno"]),
        (HUMADEX, "line 2", "one word"),
    ),
    "humadex column": ("humadex", record(HUMADEX, 2, lang="it"), (HUMADEX, "line 2", "lang", "sentence", "ner_tags")),
    "humadex no sentence": ("humadex", record(HUMADEX, 2, sentence=[], tags=[]), (HUMADEX, "line 2", "no words")),
    "humadex numbers": (
        "humadex",
        write(HUMADEX, b'{"sentence": ["febbre", "e", "tosse", "secca"], "tags": [1, 0, 1, 2]}\n'),
        ("it_medical_data", "2 of 2 mentions", "25%"),
    ),
    "synthetic value": (
        "synthetic_crf",
        form(lambda row: row["annotations"][0].update(ground_truth="maybe")),
        (SYNTHETIC, "row 1", '"maybe"', "certainly chronic"),
    ),
    "synthetic item": (
        "synthetic_crf",
        form(lambda row: row["annotations"][0].update(item="mood")),
        (SYNTHETIC, "row 1", '"mood"'),
    ),
    "synthetic count": (
        "synthetic_crf",
        form(lambda row: row["annotations"].pop()),
        (SYNTHETIC, "row 1", "133 items", "134"),
    ),
    "synthetic column": ("synthetic_crf", form(lambda row: row.pop("clinical_note")), (SYNTHETIC, "clinical_note")),
    "synthetic twice": (
        "synthetic_crf",
        form(lambda row: row.update(document_id="970002_it")),
        (SYNTHETIC, "row 2", "970002_it", "twice"),
    ),
    "synthetic note": ("synthetic_crf", form(lambda row: row.update(clinical_note=" ")), (SYNTHETIC, "row 1", "empty")),
    "synthetic parquet": ("synthetic_crf", write(SYNTHETIC, b"PAR1"), (SYNTHETIC, "no Parquet")),
    "notes number": ("dyspnea_notes", record(NOTES, 3, clinical_note=3), (NOTES, "line 3", "expected a text")),
    "notes column": ("dyspnea_notes", record(NOTES, 3, note="x"), (NOTES, "line 3", '"note"', "clinical_note")),
    "notes missing": ("dyspnea_notes", record(NOTES, 3, document_id=None), (NOTES, "line 3", "document_id")),
    "notes twice": ("dyspnea_notes", record(NOTES, 3, document_id="980001_it"), (NOTES, "line 3", "twice")),
    "notes json": ("dyspnea_notes", write(NOTES, b"{\n"), (NOTES, "line 1", "not JSON")),
    "e3c offsets": ("e3c_sentences", entity(offsets=[0, 6]), (TRAIN, "line 1, entity 1", '"Un uom"', '"ittero"')),
    "e3c three": ("e3c_sentences", entity(offsets=[1, 2, 3]), (TRAIN, "line 1, entity 1", "[start, end]")),
    "e3c type": ("e3c_sentences", entity(type="DRUG"), (TRAIN, "line 1, entity 1", '"DRUG"', "CLINENTITY")),
    "e3c key": ("e3c_sentences", entity(cui="C1"), (TRAIN, "line 1, entity 1", "cui", "semantic_type_id")),
    "e3c id": ("e3c_sentences", entity(id=[1]), (TRAIN, "line 1, entity 1", '"id"')),
    "e3c column": ("e3c_sentences", record(TRAIN, 2, lang="it"), (TRAIN, "line 2", '"lang"', "original_text")),
    "e3c entities": ("e3c_sentences", record(TRAIN, 2, entities="[]"), (TRAIN, "line 2", "expected a list")),
    "e3c document": ("e3c_sentences", record(TRAIN, 2, original_id=""), (TRAIN, "line 2", "original_id")),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_that_names_file_and_record(tmp_path: Path, command: Command, case: str) -> None:
    name, damage, named = BAD[case]
    mirror = copied(name, tmp_path, damage)
    ran = command("data", "build", name, "--mirror", mirror, "--out", tmp_path / "out")
    assert ran.code == 1
    assert len(ran.err.strip().splitlines()) == 1
    assert ran.err.count(f"{name}: ") == 1
    assert "Traceback" not in ran.err
    for part in named:
        assert part in ran.err
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    from ita_med.errors import SourceError

    mirror = copied("e3c_sentences", tmp_path, lambda root: (root / TEST).unlink())
    with pytest.raises(SourceError, match="e3c-sentences-IT-native/test"):
        read("e3c_sentences", mirror)


def test_an_error_inside_the_form_names_the_dataset_that_was_built(tmp_path: Path) -> None:
    mirror = copied("synthetic_crf", tmp_path, form(lambda row: row["annotations"].pop()))
    with pytest.raises(DataError, match=r"^synthetic_crf: "):
        read("synthetic_crf", mirror)
