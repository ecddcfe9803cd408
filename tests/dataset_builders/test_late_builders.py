"""PsyNIT, DIMMI, E3C-3.0 projected, eCream, SSM benchmark, IMB-QA, RiTA MMLU and the dyspnea form's valid options.

None of their files was seen: what is read from the expected formats, and the one line that anything else gets.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ita_med import catalogue
from ita_med.build_report import BuildReport, SplitReport
from ita_med.dataset_builders import build
from ita_med.dataset_builders.datasets import e3c_projected, ecream, itamed, psynit
from ita_med.dataset_builders.datasets.dyspnea_crf.items import MEASURED, OPTIONS
from ita_med.dataset_builders.datasets.ecream import items as ecream_items
from ita_med.errors import DataError, SourceError
from ita_med.schema import ChoiceExample, Example, FormExample, RelationExample, SpanExample, TextExample

from .damage import Damage, expect_one_line, swap

Command = Callable[..., Any]
Views = dict[tuple[str, str], list[Example]]

PSYNIT = "PsyNIT/PsyNIT.json"
DIMMI = "DIMMI/data/dimmi_600.tsv"
SENTENCES = "e3c-sentences-IT-revised/data/test-00000-of-00001.jsonl"
RELATIONS = "Italian_Relation_Exteraction/it_test.json"
ECREAM = "ecream-emergency-department-notes"
FORMS = f"{ECREAM}/crf/train-00000-of-00001.parquet"
NOTES = f"{ECREAM}/notes/train-00000-of-00001.jsonl"
SSM = "data/processed/ssm2021.json"
IMB = "IMB/IMB-QA.json"
MMLU = "mmlu_ita/all/test.parquet"
VALID = "dyspnea-valid-options/data/train.jsonl"


def sample(name: str) -> Path:
    return build.folder(name) / "sample"


def read(name: str, mirror: Path | None = None, configs: list[str] | None = None) -> tuple[Views, BuildReport]:
    """(config, split) -> examples, and the report."""
    report = BuildReport()
    files = build.open_files(name, str(mirror) if mirror else "embedded")
    return {(c, s): group for c, s, group in build.examples(name, configs, files=files, report=report)}, report


def copied(name: str, tmp_path: Path, damage: Damage) -> Path:
    mirror = tmp_path / "mirror"
    shutil.copytree(sample(name), mirror / name)
    damage(mirror / name)
    return mirror


def rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    text = path.read_text("utf-8")
    return json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


def put(path: Path, records: Any) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records), "utf-8")
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")


def change(path: str, edit: Callable[[Any], Any]) -> Damage:
    """Rewrite a file after `edit` changed its records (in place, or by returning others)."""

    def damage(root: Path) -> None:
        records = rows(root / path)
        changed = edit(records)
        put(root / path, records if changed is None else changed)

    return damage


def record(path: str, number: int, **values: Any) -> Damage:
    """Set values of the record with that number, from 1; a value of None takes the key away."""

    def edit(records: Any) -> None:
        for name, value in values.items():
            records[number - 1].pop(name, None)
            if value is not None:
                records[number - 1][name] = value

    return change(path, edit)


# ----- PsyNIT --------------------------------------------------------------------------------------------------------


def mentions_of(document: dict[str, Any], text: str) -> list[tuple[str, str]]:
    """(label, text) of a document of the sample, from any of its shapes."""
    entities = document["entities"]
    if isinstance(entities, dict):
        return [(label, mention) for label, group in entities.items() for mention in group]
    triples = [
        e if isinstance(e, list) else [e.get("start"), e.get("end"), e["label"], e.get("text")] for e in entities
    ]
    return [(t[2], t[3] if len(t) > 3 and t[3] else text[t[0] : t[1]]) for t in triples]


def test_psynit_every_document_and_mention_is_there() -> None:
    views, report = read("psynit")
    whole = [group for (config, _), group in views.items() if config == "entities"]
    built = {e.id: e for group in whole for e in group if isinstance(e, SpanExample)}
    documents = rows(sample("psynit") / PSYNIT)
    assert sorted(views) == sorted(product(["entities", "entities_passages"], ["train", "test"]))
    assert set(built) == {str(document["id"]) for document in documents}
    for document in documents[:-2]:
        example = built[document["id"]]
        text = document["text"]["text"] if isinstance(document["text"], dict) else document["text"]
        assert example.text == text
        assert sorted((s.label, s.text) for s in example.spans) == sorted(mentions_of(document, text))
    dropped = sum((report.split("entities", split).dropped for split in ("train", "test")), Counter())
    assert dropped == {"mention_not_in_text": 1, "repeated_mention": 1}


def test_psynit_equal_texts_without_offsets_are_different_places() -> None:
    example = next(e for group in read("psynit")[0].values() for e in group if e.id == "referto-901")
    assert isinstance(example, SpanExample)
    first, second = example.text.index("ansia e"), example.text.index("ansia anticipatoria")
    assert [(s.start, s.end, s.label) for s in example.spans] == [
        (0, 4, "TEST"),
        (21, 25, "TEST"),
        (first, first + 5, "SINTOMI NEUROPSICHIATRICI"),
        (second, second + 19, "SINTOMI NEUROPSICHIATRICI"),
    ]


@pytest.mark.parametrize(
    "entities",
    [
        [{"start": 9, "end": 15, "label": "SINTOMI_NEUROPSICHIATRICI"}, {"start": 17, "end": 21, "label": "TEST"}],
        [{"start_offset": 9, "end_offset": 15, "type": "Neuropsychiatric symptoms"}, [17, 21, "test"]],
        [{"word": "apatia", "entity_group": "sintomi neuropsichiatrici"}, {"entity": "MMSE", "label": "TEST"}],
        [{"text": "apatia", "start": 9, "end": 15, "label": "SINTOMI NEUROPSICHIATRICI"}, [17, 21, "TEST"]],
        {"SINTOMI NEUROPSICHIATRICI": ["apatia"], "TEST": [{"text": "MMSE", "start": 17, "end": 21}]},
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("layout", ["list", "by id", "lines"])
def test_psynit_every_stated_shape_reads_the_same(tmp_path: Path, entities: Any, wrapped: bool, layout: str) -> None:
    texts = [f"Si nota: apatia, MMSE {n}/30." for n in range(40)]
    documents = [{"text": {"testo": t} if wrapped else t, "labels": entities} for t in texts]

    def damage(root: Path) -> None:
        path = root / PSYNIT
        if layout == "lines":
            put(path.with_suffix(".jsonl"), documents)
            path.unlink()
        else:
            put(path, documents if layout == "list" else {f"r{n}": d for n, d in enumerate(documents)})

    views, _ = read("psynit", copied("psynit", tmp_path, damage))
    for group in views.values():
        for example in group:
            assert isinstance(example, SpanExample)
            assert [(s.start, s.end, s.label) for s in example.spans] == [
                (9, 15, "SINTOMI NEUROPSICHIATRICI"),
                (17, 21, "TEST"),
            ]
    by_text = {e.text: split for (_, split), group in views.items() for e in group if isinstance(e, SpanExample)}
    assert by_text == {text: psynit.split_of(text) for text in texts}


def test_psynit_split_is_the_documented_hash_and_about_a_tenth() -> None:
    texts = [f"Referto numero {n}" for n in range(3000)]
    for text in texts[:50]:
        digest = hashlib.sha256(text.lower().encode()).hexdigest()
        assert psynit.split_of(text) == ("train" if int(digest, 16) % 10 else "test")
        assert psynit.split_of(f" {text.upper()}\n") == psynit.split_of(text)
    assert 240 < sum(psynit.split_of(text) == "test" for text in texts) < 360


# ----- DIMMI ---------------------------------------------------------------------------------------------------------


def test_dimmi_facts_are_those_of_the_table() -> None:
    views, report = read("dimmi")
    assert list(views) == [("leaflets", "test")]
    header, *table = [line.split("\t") for line in (sample("dimmi") / DIMMI).read_text("utf-8").splitlines()]
    for cells, example in zip(table, views["leaflets", "test"], strict=True):
        assert isinstance(example, FormExample)
        expected = dict(zip(header, cells, strict=True))
        assert example.text == expected["text"]
        assert [item.name for item in example.items] == [
            "molecule",
            "usage",
            "drug_interaction",
            "posology",
            "side_effect",
        ]
        for item in example.items:
            entries = example.meta["entries"][item.name]
            assert item.kind == "text"
            assert item.value == ("; ".join(entries) or "unknown")
            assert expected[item.name] in (str(entries), *entries)
    assert report.warnings == {"synthetic_sample": 1, "column_not_read": 1, "list_as_text": 1}


def test_dimmi_parquet_gives_the_same(tmp_path: Path) -> None:
    views, _ = read("dimmi")

    def as_parquet(root: Path) -> None:
        forms = [e for e in views["leaflets", "test"] if isinstance(e, FormExample)]
        put(root / "DIMMI/data/dimmi_600.parquet", [{"text": e.text, **e.meta["entries"]} for e in forms])
        (root / DIMMI).unlink()

    assert read("dimmi", copied("dimmi", tmp_path, as_parquet))[0] == views


# ----- E3C-3.0, projected --------------------------------------------------------------------------------------------


def test_projected_entities_are_those_of_the_rows() -> None:
    group = read("e3c_projected", configs=["entities"])[0]["entities", "test"]
    for row, example in zip(rows(sample("e3c_projected") / SENTENCES), group, strict=True):
        assert isinstance(example, SpanExample)
        assert (example.text, example.doc_id) == (row["sentence"], row["original_id"])
        assert [([s.start, s.end], s.text) for s in example.spans] == [
            (e["offsets"], e["text"]) for e in row["entities"]
        ]


def test_projected_relations_are_the_pairs_of_the_rows() -> None:
    views, report = read("e3c_projected", configs=["relations"])
    assert [split for _, split in views] == ["train", "validation", "test"]
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        found = rows(sample("e3c_projected") / RELATIONS.replace("it_test", f"it_{name}"))
        for row, example in zip(found, views["relations", split], strict=True):
            assert isinstance(example, RelationExample)
            assert example.text == row["text"]
            pairs = [[example.spans[r.head].text, example.spans[r.tail].text] for r in example.relations]
            assert {(example.spans[r.head].label, example.spans[r.tail].label) for r in example.relations} <= {
                ("RML", "EVENT")
            }
            if "Emocolture" not in row["text"]:
                assert pairs == row["relations"]
    assert pairs == [["negative", "Emocolture"], ["negativa", "urinocoltura"]]
    assert report.split("relations", "test").dropped == {"repeated_pair": 1, "pair_not_in_text": 1}


def ground(text: str, pairs: list[tuple[str, str]]) -> tuple[list[tuple[int, int]], SplitReport]:
    """(start of the measurement, start of the exam) of each relation."""
    counts = SplitReport()
    example = e3c_projected._example(text, pairs, "a", counts)
    return [(example.spans[r.head].start, example.spans[r.tail].start) for r in example.relations], counts


def test_a_pair_takes_the_closest_places_and_equal_pairs_take_different_ones() -> None:
    text = "PA 120, FC 80; poi FC 120 e PA 120."
    assert ground(text, [("120", "FC")])[0] == [(22, 19)]
    assert ground(text, [("120", "PA"), ("120", "PA")])[0] == [(3, 0), (31, 28)]
    assert ground("Nella norma TSH e FT4.", [("nella norma", "TSH"), ("nella norma", "FT4")])[0] == [(0, 12), (0, 18)]
    assert ground("NaCl 140 ml; Na basso", [("140", "Na")])[0] == [(5, 13)]
    assert ground("Ematocrito 140, NaCl", [("140", "Na")])[0] == [(11, 16)]
    assert ground("Pulsossimetria normale", [("normale", "normale")]) == (
        [],
        SplitReport(dropped=Counter(repeated_pair=1)),
    )


words = st.sampled_from(["PA", "FC", "80", "120", "PAM", "e"])


@given(st.lists(words, min_size=1, max_size=12), st.lists(st.tuples(words, words), max_size=8))
def test_every_pair_is_kept_at_a_place_that_reads_so_or_counted(
    tokens: list[str], pairs: list[tuple[str, str]]
) -> None:
    text = " ".join(tokens)
    places, counts = ground(text, pairs)
    assert len(places) + sum(counts.dropped.values()) == len(pairs)
    assert len(set(places)) == len(places)
    for head, tail in places:
        assert any(text.startswith(p[0], head) and text.startswith(p[1], tail) for p in pairs)
    absent = sum(a.lower() not in text.lower() or b.lower() not in text.lower() for a, b in pairs)
    assert counts.dropped["pair_not_in_text"] == absent


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("data/train-00000-of-00001.parquet", "data/dev-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
        ("train.jsonl", "validation.jsonl", "test.jsonl"),
    ],
)
def test_projected_relations_under_other_names(tmp_path: Path, train: str, validation: str, test: str) -> None:
    def rename(root: Path) -> None:
        folder = root / "Italian_Relation_Exteraction"
        (folder / "data").mkdir()
        for old, new in (("train", train), ("val", validation), ("test", test)):
            put(folder / new, [r | {"id": n} for n, r in enumerate(rows(folder / f"it_{old}.json"))])
            (folder / f"it_{old}.json").unlink()

    views, report = read("e3c_projected", copied("e3c_projected", tmp_path, rename), ["relations"])
    assert views == read("e3c_projected", configs=["relations"])[0]
    assert report.warnings["column_not_read"] == 3


def test_a_json_file_of_lines_is_read(tmp_path: Path) -> None:
    def as_lines(root: Path) -> None:
        found = rows(root / RELATIONS)
        (root / RELATIONS).write_text("".join(json.dumps(r) + "\n" for r in found), "utf-8")

    views, _ = read("e3c_projected", copied("e3c_projected", tmp_path, as_lines), ["relations"])
    assert views == read("e3c_projected", configs=["relations"])[0]


# ----- eCream --------------------------------------------------------------------------------------------------------


def test_ecream_forms_are_those_of_the_rows() -> None:
    views, _ = read("ecream", configs=["crf"])
    built = {e.id: (split, e) for (_, split), group in views.items() for e in group if isinstance(e, FormExample)}
    found = rows(sample("ecream") / FORMS)
    assert set(built) == {row["document_id"].removesuffix("_it") for row in found}
    for row in found:
        split, example = built[row["document_id"].removesuffix("_it")]
        assert example.text == row["clinical_note"]
        assert {item.name: item.value for item in example.items} == {
            a["item"]: a["ground_truth"] for a in row["annotations"]
        }
        digest = int(hashlib.sha256(example.id.encode()).hexdigest(), 16)
        assert split == ("validation" if digest % 20 == 0 else "test")
    kinds = {item.name: (item.kind, item.options) for item in next(iter(built.values()))[1].items}
    assert len(kinds) == 132
    assert kinds["pneumonia"] == ("categorical", ["y", "n"])
    assert kinds["spo2"] == kinds["glasgow coma scale"] == ("text", [])
    assert kinds["triage priority"] == ("categorical", ["green", "orange", "red"])
    assert kinds["cough"] == ("categorical", ["n", "y"])


def test_ecream_one_note_in_twenty_is_for_prompts() -> None:
    ids = [str(n) for n in range(4000)]
    prompts = [name for name in ids if ecream.split_of(name) == "validation"]
    assert prompts == [name for name in ids if int(hashlib.sha256(name.encode()).hexdigest(), 16) % 20 == 0]
    assert 150 < len(prompts) < 250


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("pneumonia", [], ("categorical", ["y", "n"])),
        ("pneumonia", ["y", "maybe"], ("categorical", ["maybe", "y"])),
        ("ph", ["acid"], ("text", [])),
        ("new", [], ("text", [])),
        ("new", ["unknown", ""], ("text", [])),
        ("new", ["b", "a", "b"], ("categorical", ["a", "b"])),
        ("new", ["a", "12"], ("text", [])),
        ("new", list("abcdefgh"), ("categorical", list("abcdefgh"))),
        ("new", list("abcdefghi"), ("text", [])),
    ],
)
def test_ecream_kind_of_an_item_comes_from_its_values(name: str, values: list[str], expected: Any) -> None:
    assert ecream_items.form([{name: value} for value in values] or [{name: "unknown"}]) == {name: expected}


def test_ecream_notes_without_the_empty_one() -> None:
    views, report = read("ecream", configs=["notes"])
    found = [(f"{e.id}_it", e.text) for e in views["notes", "train"] if isinstance(e, TextExample)]
    filled = [row for row in rows(sample("ecream") / NOTES) if row["clinical_note"].strip()]
    assert found == [(row["document_id"], row["clinical_note"]) for row in filled]
    assert report.split("notes", "train").dropped == {"empty_text": 1}


@pytest.mark.parametrize(("gone", "other"), [("crf", "notes"), ("notes", "crf")])
def test_ecream_a_view_without_files_is_missing_and_the_other_is_built(tmp_path: Path, gone: str, other: str) -> None:
    mirror = copied("ecream", tmp_path, lambda root: (root / ECREAM / gone).rename(root / ECREAM / "altro"))
    views, report = read("ecream", mirror)
    assert {config for config, _ in views} == {other}
    assert f"{ECREAM}/{gone}/*" in report.missing[gone]
    assert "altro/train-00000-of-00001" in report.missing[gone]
    with pytest.raises(SourceError, match=r"^ecream: no file .* found "):
        read("ecream", mirror, [gone])


# ----- SSM benchmark -------------------------------------------------------------------------------------------------


def test_ssm_the_right_option_is_the_one_that_upstream_names() -> None:
    views, report = read("ssm_benchmark")
    built = {e.id: (split, e) for (_, split), group in views.items() for e in group if isinstance(e, ChoiceExample)}
    firsts = []
    for year in range(2020, 2026):
        found = rows(sample("ssm_benchmark") / SSM.replace("2021", str(year)))
        for row in found["questions"] if isinstance(found, dict) else found:
            split, example = built.pop(f"ssm-{year}-{row['id']}")
            options = list(row["options"].values()) if isinstance(row["options"], dict) else row["options"]
            assert split == itamed.split_of(year)
            assert example.question == row["question"]
            assert sorted(example.options) == sorted(options[:5])
            assert example.options[example.answer] == options[0]
            assert [options["ABCDE".index(letter)] for letter in example.meta["order"]] == example.options
            assert example.meta["has_image"] == (row["image"] is not None)
            firsts.append(example.answer)
    assert not built
    assert len(set(firsts)) == 5
    assert report.warnings == {"synthetic_sample": 1, "abstention_option": 5}


def test_ssm_has_the_order_of_itamed() -> None:
    example = read("ssm_benchmark")[0]["ssm", itamed.split_of(2020)][0]
    assert isinstance(example, ChoiceExample)
    order = sorted("ABCDE", key=lambda letter: hashlib.sha256(f"2020-1-{letter}".encode()).digest())
    assert example.meta["order"] == "".join(order)


def test_ssm_a_missing_year_is_counted(tmp_path: Path) -> None:
    views, report = read("ssm_benchmark", copied("ssm_benchmark", tmp_path, lambda root: (root / SSM).unlink()))
    assert report.warnings["year_missing"] == 1
    assert sum(map(len, views.values())) == 25


# ----- IMB-QA --------------------------------------------------------------------------------------------------------


def test_imb_qa_one_text_per_pair() -> None:
    views, report = read("imb_qa")
    pairs = [row for row in rows(sample("imb_qa") / IMB) if row["Answer"]]
    for row, example in zip(pairs, views["pairs", "train"], strict=True):
        assert isinstance(example, TextExample)
        assert example.text == f"Domanda: {row['Question']}\n\nRisposta: {row['Answer']}"
        assert example.meta == {"category": row["Category"], "id": str(row["ID"])}
    assert report.split("pairs", "train").dropped == {"empty_answer": 1}
    assert report.warnings["repeated_pair"] == 1


@pytest.mark.parametrize("nested", [False, True])
def test_imb_qa_the_owners_names_and_categories_as_keys_read_the_same(tmp_path: Path, nested: bool) -> None:
    def edit(records: list[dict[str, Any]]) -> Any:
        italian = [
            dict(zip(("ID", "categoria", "testo_domanda", "testo_risposta"), r.values(), strict=True)) for r in records
        ]
        if not nested:
            return italian
        groups: dict[str, list[Any]] = {}
        for r in italian:
            groups.setdefault(r.pop("categoria"), []).append(r)
        return groups

    found = read("imb_qa", copied("imb_qa", tmp_path, change(IMB, edit)))[0]["pairs", "train"]
    expected = read("imb_qa")[0]["pairs", "train"]
    key = lambda e: (e.meta["id"], e.meta["category"], e.text)  # noqa: E731
    assert sorted(map(key, found)) == sorted(map(key, expected))


# ----- RiTA MMLU and valid options -----------------------------------------------------------------------------------


def test_rita_mmlu_keeps_the_medical_subjects() -> None:
    views, report = read("rita_mmlu")
    assert [split for _, split in views] == ["train", "validation", "test"]
    medical = [row for row in rows(sample("rita_mmlu") / MMLU) if row["subject"] != "college_mathematics"]
    for row, example in zip(medical, views["rita_mmlu", "test"], strict=True):
        assert isinstance(example, ChoiceExample)
        assert (example.question, example.options, example.answer) == (row["question"], row["choices"], row["answer"])
        assert example.topic == row["subject"].replace("_", " ")
    assert report.split("rita_mmlu", "test").dropped == {"not_medical": 4}


def test_rita_mmlu_reads_letters_and_leaves_further_columns_out(tmp_path: Path) -> None:
    def edit(records: Any) -> Any:
        return [{**r, "answer": "ABCD"[r["answer"]], "id": n} for n, r in enumerate(records)]

    views, report = read("rita_mmlu", copied("rita_mmlu", tmp_path, change(MMLU, edit)))
    assert views == read("rita_mmlu")[0]
    assert report.warnings["column_not_read"] == 1


def test_valid_options_are_those_of_the_form() -> None:
    views, report = read("dyspnea_valid_options")
    (form,) = views["valid_options", "train"]
    assert isinstance(form, FormExample)
    assert {item.name for item in form.items} == {*OPTIONS, *MEASURED}
    for item in form.items:
        if item.name == "level of consciousness":
            assert item.options == ["A", "V", "P"]
        else:
            assert (item.kind, item.options) == (
                ("text", []) if item.name in MEASURED else ("categorical", OPTIONS[item.name])
            )
    assert {item.value for item in form.items} == {"unknown"}
    assert report.warnings["options_differ_from_dyspnea_crf"] == 1


# ----- what anything else gets ---------------------------------------------------------------------------------------


def entity(**values: Any) -> Damage:
    """Change the first mention of the first document of PsyNIT."""

    def edit(documents: Any) -> None:
        found = documents[0]["entities"][0]
        for name, value in values.items():
            found.pop(name, None)
            if value is not None:
                found[name] = value

    return change(PSYNIT, edit)


def annotation(edit: Callable[[list[dict[str, str]]], object]) -> Damage:
    """Change the form of the second note of eCream."""
    return change(FORMS, lambda records: edit(records[1]["annotations"]) and None)


def option(**values: Any) -> Damage:
    return record(VALID, 3, **values)


def nothing_medical(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"subject": "anatomia umana"} for row in records]


def unfound(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"relations": [["999 mg", "sodio"]]} for row in records]


BAD: dict[str, tuple[str, Damage, tuple[str, ...]]] = {
    "psynit keys": (
        "psynit",
        record(PSYNIT, 1, sezione="Anamnesi"),
        (PSYNIT, "document 1", "'sezione'", "text or testo"),
    ),
    "psynit no text": ("psynit", record(PSYNIT, 2, text=None), (PSYNIT, "document 2", "['entities', 'id']", "testo")),
    "psynit two texts": ("psynit", record(PSYNIT, 2, testo="altro"), ("document 2", "'testo'", "one each")),
    "psynit text is a list": ("psynit", record(PSYNIT, 2, text=["a"]), ("document 2", "a text and a list")),
    "psynit inner text": ("psynit", record(PSYNIT, 2, text={"corpo": "a"}), ("document 2, text", "'corpo'", "testo")),
    "psynit entities": ("psynit", record(PSYNIT, 1, entities="[]"), ("document 1", "a text and a list")),
    "psynit group": ("psynit", record(PSYNIT, 1, entities={"TEST": "MMSE"}), ("document 1, TEST", "'MMSE'", "a list")),
    "psynit document": ("psynit", change(PSYNIT, lambda d: [*d, "x"]), ("document 32", "'x'", "entities or labels")),
    "psynit twice": ("psynit", record(PSYNIT, 2, id="referto-900"), ("referto-900 appears twice", "document 2")),
    "psynit id": ("psynit", record(PSYNIT, 2, id=[1]), ("document 2", "the id is [1]")),
    "psynit label": ("psynit", entity(label="FARMACO"), ("document 1, mention 1", "'FARMACO'", "SINTOMI COGNITIVI")),
    "psynit no label": ("psynit", entity(label=None), ("document 1, mention 1", "the label is None")),
    "psynit key": ("psynit", entity(cui="C1"), ("mention 1", "'cui'", "start or start_offset")),
    "psynit offsets": ("psynit", entity(end="9"), ("mention 1", "'end'", "whole numbers")),
    "psynit no end": ("psynit", entity(end=None), ("mention 1", "['label', 'start', 'text']", "end or end_offset")),
    "psynit mismatch": ("psynit", entity(text="altro"), ("mention 1", 'expected "altro"')),
    "psynit outside": ("psynit", entity(end=9999, text=None), ("mention 1", "lies outside")),
    "psynit negative": ("psynit", entity(start=-3, text=None), ("mention 1", "lies outside")),
    "psynit pair": ("psynit", record(PSYNIT, 1, entities=[[1, 2]]), ("mention 1", "[1, 2]", "[start, end, label]")),
    "psynit bare": ("psynit", record(PSYNIT, 1, entities=["MMSE"]), ("mention 1", "'MMSE'", "[start, end, label]")),
    "psynit other text": (
        "psynit",
        change(PSYNIT, lambda d: [x | {"entities": [{"text": "zzz", "label": "TEST"}]} for x in d]),
        ("31 of 31 mentions", "at most 5%"),
    ),
    "psynit cut": ("psynit", lambda root: (root / PSYNIT).write_text('[{"text": "a", '), (PSYNIT, "is not JSON")),
    "psynit cut line": (
        "psynit",
        lambda root: (root / PSYNIT).write_text('{"text": "a", "label": []}\n{"text'),
        ("line 2 is not JSON",),
    ),
    "psynit NaN": ("psynit", lambda root: (root / PSYNIT).write_text('[{"text": NaN}]'), (PSYNIT, "NaN")),
    "dimmi column": ("dimmi", swap(DIMMI, "\tposology\t", "\tdose\t"), (DIMMI, "'dose'", "'posology'", "at least")),
    "dimmi ragged": ("dimmi", swap(DIMMI, "Gastrolen\t", "Gastrolen\t\t"), (DIMMI, "row 2 has 8 cells, expected 7")),
    "dimmi value": ("dimmi", swap(DIMMI, "['omeprazolo']", "[1, 2]"), (DIMMI, "row 2, molecule", "expected a text")),
    "dimmi quote": ("dimmi", swap(DIMMI, "Gastrolen\t", '"Gastrolen\t'), (DIMMI, "get the file again")),
    "dimmi no leaflet": ("dimmi", lambda root: (root / DIMMI).write_text(TABLE), (DIMMI, "row 1", '"text" is empty')),
    "projected entity": (
        "e3c_projected",
        swap(SENTENCES, '"type"', '"kind"'),
        (SENTENCES, "line 1, entity 1", "'kind'"),
    ),
    "projected offsets": ("e3c_projected", swap(SENTENCES, '"offsets": [', '"offsets": [9'), (SENTENCES, "line 1")),
    "projected columns": (
        "e3c_projected",
        record(RELATIONS, 2, text=None),
        (RELATIONS, "record 2", "['relations']", "'text'"),
    ),
    "projected relations": (
        "e3c_projected",
        record(RELATIONS, 2, relations="x"),
        ("record 2", "'x'", "[measurement, exam]"),
    ),
    "projected pair": ("e3c_projected", record(RELATIONS, 2, relations=[["a"]]), ("record 2, relation 1", "['a']")),
    "projected number": (
        "e3c_projected",
        record(RELATIONS, 2, relations=[[3, "Hb"]]),
        ("relation 1", '"measurement" is 3'),
    ),
    "projected empty": (
        "e3c_projected",
        record(RELATIONS, 2, relations=[["3", " "]]),
        ("relation 1", "neither of them empty"),
    ),
    "projected unfound": ("e3c_projected", change(RELATIONS, unfound), ("18 of 18 pairs", "at most 10%")),
    "projected text": ("e3c_projected", record(RELATIONS, 2, text=" "), (RELATIONS, "record 2", "empty")),
    "ecream columns": (
        "ecream",
        change(FORMS, lambda r: [{"text": x.pop("clinical_note"), **x} for x in r]),
        (FORMS, "'text'", "at least ['annotations', 'clinical_note', 'document_id']"),
    ),
    "ecream items": ("ecream", annotation(lambda a: a.pop()), (FORMS, "row 2", "131 items, expected 132")),
    "ecream other item": ("ecream", annotation(lambda a: a[5].update(item="altro")), ("row 2", "altro", "one form")),
    "ecream item twice": ("ecream", annotation(lambda a: a[5].update(a[4])), ("row 2", "appears twice")),
    "ecream document": ("ecream", change(FORMS, lambda r: [*r, r[0]]), (FORMS, "row 26", "appears twice")),
    "ecream empty": ("ecream", record(FORMS, 1, clinical_note=" "), (FORMS, "row 1", '"clinical_note"', "is empty")),
    "ecream notes": (
        "ecream",
        record(NOTES, 2, clinical_note=None),
        (NOTES, "line 2", "clinical_note", "['document_id']"),
    ),
    "ssm keys": ("ssm_benchmark", record(SSM, 2, difficulty=3), (SSM, "record 2", "'difficulty'", "correct_answer")),
    "ssm no gold": (
        "ssm_benchmark",
        record(SSM, 2, correct_answer=None),
        (SSM, "record 2", "'options'", "correct_answer"),
    ),
    "ssm index": (
        "ssm_benchmark",
        record(SSM, 2, correct_answer=0),
        ("record 2", "the answer is 0", "a letter A to E"),
    ),
    "ssm abstain": ("ssm_benchmark", record(SSM, 2, correct_answer="F"), ("record 2", "the answer is 'F'")),
    "ssm options": ("ssm_benchmark", record(SSM, 2, options=["a", "b"]), ("record 2", "expected five texts")),
    "ssm letters": (
        "ssm_benchmark",
        record(SSM, 2, options=dict.fromkeys("abcde", "x")),
        ("record 2", "expected five texts"),
    ),
    "ssm empty option": (
        "ssm_benchmark",
        record(SSM, 2, options=["a", "b", "", "d", "e"]),
        ("record 2", "option C is empty"),
    ),
    "ssm twice": ("ssm_benchmark", record(SSM, 2, id=1), (SSM, "record 2", "ssm-2021-1 appears twice")),
    "ssm number": ("ssm_benchmark", record(SSM, 2, id="a b"), ("record 2", "'a b'")),
    "ssm object": ("ssm_benchmark", change(SSM, lambda r: {"items": r}), (SSM, "['items']", "a list of questions")),
    "ssm cut": ("ssm_benchmark", lambda root: (root / SSM).write_text("[{"), (SSM, "is not JSON")),
    "imb keys": ("imb_qa", record(IMB, 2, domanda="x"), (IMB, "record 2", "'domanda'", "testo_domanda")),
    "imb no category": ("imb_qa", record(IMB, 2, Category=None), (IMB, "record 2", "['Answer', 'ID', 'Question']")),
    "imb number": ("imb_qa", record(IMB, 2, Answer=7), (IMB, "record 2", '"answer" is 7', "expected a text")),
    "imb category": ("imb_qa", change(IMB, lambda r: {"Urologia": r}), ("record 1", "'Cardiologia'", "'Urologia'")),
    "imb text": ("imb_qa", change(IMB, lambda r: "x"), (IMB, "holds str")),
    "mmlu columns": (
        "rita_mmlu",
        change(MMLU, lambda r: [{"option_a": x.pop("choices")[0], **x} for x in r]),
        (MMLU, "'option_a'", "at least ['answer', 'choices', 'question', 'subject']"),
    ),
    "mmlu subjects": ("rita_mmlu", change(MMLU, nothing_medical), ("anatomia_umana", "'virology'")),
    "mmlu answer": ("rita_mmlu", record(MMLU, 1, answer=4), (MMLU, "row 1", '"answer" is 4')),
    "mmlu choices": ("rita_mmlu", record(MMLU, 1, choices=["a"]), (MMLU, "row 1", "['a']", "expected 4 texts")),
    "options column": ("dyspnea_valid_options", option(values=["y"]), (VALID, "line 3", '"values"', "options")),
    "options twice": ("dyspnea_valid_options", option(item="chronic dialysis"), (VALID, "line 8", "appears twice")),
    "options list": ("dyspnea_valid_options", option(options="y|n"), (VALID, "line 3", "'y|n'", "a list of texts")),
    "options equal": ("dyspnea_valid_options", option(options=["y", "y"]), (VALID, "line 3", "different texts")),
    "options number": ("dyspnea_valid_options", change(VALID, lambda r: r[:-1]), ("133 items, expected 134",)),
}
TABLE = "text\tmolecule\tusage\tdrug_interaction\tposology\tside_effect\n \t[]\t[]\t[]\t[]\t[]\n"


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_that_names_place_and_expectation(tmp_path: Path, case: str) -> None:
    name, damage, named = BAD[case]
    expect_one_line(name, copied(name, tmp_path, damage), tmp_path / "out", list(named))


@pytest.mark.parametrize(
    ("name", "gone", "named"),
    [
        ("psynit", PSYNIT, "PsyNIT/"),
        ("dimmi", DIMMI, "DIMMI/data/dimmi_600.tsv"),
        ("e3c_projected", RELATIONS, "Italian_Relation_Exteraction/dev"),
        ("imb_qa", IMB, "IMB/IMB-QA.json"),
        ("rita_mmlu", MMLU, "mmlu_ita/all/test"),
        ("dyspnea_valid_options", VALID, "dyspnea-valid-options/train"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, name: str, gone: str, named: str) -> None:
    mirror = copied(name, tmp_path, lambda root: (root / gone).unlink())
    with pytest.raises((SourceError, DataError), match=named.replace("dev", "test")):
        read(name, mirror)


def test_ssm_without_any_year_names_the_files(tmp_path: Path) -> None:
    mirror = copied("ssm_benchmark", tmp_path, lambda root: shutil.rmtree(root / "data"))
    with pytest.raises(SourceError, match=r"data/processed/ssm20\*\.json is not in .*alessandroliva"):
        read("ssm_benchmark", mirror)


# ----- what cannot be had --------------------------------------------------------------------------------------------

UNAVAILABLE = ["e3c_crf", "italian_medvqa", "wmt_biomed", "clef_ehealth_2018"]


def test_no_dataset_outside_the_corpora_is_planned() -> None:
    found = {e.id: e.status for e in catalogue.datasets() if e.families != ["corpus"] or e.id in UNAVAILABLE}
    assert "planned" not in found.values()
    assert [name for name, status in found.items() if status == "unavailable"] == UNAVAILABLE


@pytest.mark.parametrize("name", UNAVAILABLE)
def test_an_unavailable_dataset_says_why_and_where_to_ask(command: Command, tmp_path: Path, name: str) -> None:
    entry = catalogue.dataset(name)
    line = f"{entry.reason}; {entry.ask}"
    assert f"  {name}: {line}" in command("data", "list").out.splitlines()
    ran = command("data", "build", name, "--mirror", "embedded", "--out", tmp_path / "out")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [f"ita-med: {name} is unavailable: {line}"]
    assert not (tmp_path / "out").exists()


def test_the_list_of_a_family_shows_only_its_own_unavailable_datasets(command: Command) -> None:
    out = command("data", "list", "--family", "qa").out
    assert "italian_medvqa: " in out
    assert "e3c_crf: " not in out
    assert "unavailable" not in command("data", "list", "--family", "arg").out
