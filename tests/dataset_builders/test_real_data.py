"""The real upstream files: exact counts, offsets against an independent reading, checksums."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from lxml import etree

from ita_med.build_report import SplitReport
from ita_med.dataset_builders import build
from ita_med.errors import SourceError

pytestmark = pytest.mark.real_data

DATASETS = ("e3c", "abstrct", "casimedicos_arg", "med_ita", "dyspnea_crf")
CUSTOM = "{http:///webanno/custom.ecore}"
TYPES = ("CLINENTITY", "EVENT", "ACTOR", "BODYPART", "TIMEX3", "RML")
TOP = "E3C-Corpus-8196181e"


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="session")
def real(real_mirror: str, out: Path) -> dict[str, build.Built]:
    """Every dataset that the mirror holds, built once."""
    return {name: build.build(name, out, real_mirror) for name in DATASETS}


def split(real: dict[str, build.Built], name: str, config: str, split: str) -> SplitReport:
    return real[name].report.splits[config, split]


def rows(out: Path, name: str, config: str) -> list[dict[str, Any]]:
    """All splits of one view."""
    return [row for path in sorted((out / name / config).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def parquet_bytes(folder: Path) -> dict[str, str]:
    paths = sorted(folder.rglob("*.parquet"))
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


# ----- E3C -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("part", "documents", "sentences"), [("train", 36, 451), ("test", 50, 695)])
def test_e3c_layer1_sentences(real: dict[str, build.Built], part: str, documents: int, sentences: int) -> None:
    for config in ("disorder", "mentions", "clinkart"):
        counts = split(real, "e3c", config, part)
        assert (counts.documents, counts.examples) == (documents, sentences)
    for config in ("temporal", "full", "crf"):
        counts = split(real, "e3c", config, part)
        assert (counts.documents, counts.examples) == (documents, documents)


@pytest.mark.parametrize(
    ("label", "train", "test"),
    [
        ("CLINENTITY", 361, 508),
        ("EVENT", 1469, 1916),
        ("ACTOR", 169, 169),
        ("BODYPART", 163, 165),
        ("TIMEX3", 118, 180),
        ("RML", 165, 218),
    ],
)
def test_e3c_layer1_mentions(real: dict[str, build.Built], label: str, train: int, test: int) -> None:
    for config in ("mentions", "full"):
        found = [split(real, "e3c", config, part).annotations[label] for part in ("train", "test")]
        assert found == [train, test]


def test_e3c_disorder_holds_only_disorders(real: dict[str, build.Built]) -> None:
    found = [dict(split(real, "e3c", "disorder", part).annotations) for part in ("train", "test")]
    assert found == [{"CLINENTITY": 361}, {"CLINENTITY": 508}]


def test_e3c_relations(real: dict[str, build.Built]) -> None:
    clinkart = [dict(split(real, "e3c", "clinkart", part).relations) for part in ("train", "test")]
    temporal = [split(real, "e3c", "temporal", part).relations.total() for part in ("train", "test")]
    assert clinkart == [{"PERTAINSTO": 189}, {"PERTAINSTO": 255}]
    assert temporal == [387, 602]


def test_e3c_full_keeps_every_link(real: dict[str, build.Built]) -> None:
    kinds: Counter[str] = Counter()
    for part in ("train", "test"):
        for label, n in split(real, "e3c", "full", part).relations.items():
            kinds[label.partition(":")[0]] += n
    assert kinds == {"TLINK": 989, "ALINK": 109, "PERTAINSTO": 444, "TIMEXLINK": 161}


def test_e3c_clinkart_joins_a_result_with_an_event(real: dict[str, build.Built], out: Path) -> None:
    for row in rows(out, "e3c", "clinkart"):
        for relation in row["relations"]:
            ends = row["spans"][relation["head"]]["label"], row["spans"][relation["tail"]]["label"]
            assert ends == ("RML", "EVENT")


@pytest.mark.parametrize("config", ["disorder", "mentions", "clinkart", "temporal", "full", "layer2"])
def test_e3c_spans_read_their_text(real: dict[str, build.Built], out: Path, config: str) -> None:
    found = rows(out, "e3c", config)
    assert [
        (row["id"], span) for row in found for span in row["spans"]
        if row["text"][span["start"] : span["end"]] != span["text"]
    ] == []  # fmt: skip
    assert any(row["spans"] for row in found)


def upstream(path: Path) -> tuple[str, list[tuple[str, int, int]]]:
    """Text and (type, begin, end) of one XMI file, offsets as written there."""
    root = etree.parse(str(path)).getroot()
    text = root.find("{http:///uima/cas.ecore}Sofa").get("sofaString")
    mentions = [m for kind in TYPES for m in root.iter(CUSTOM + kind)]
    return text, [(m.tag.removeprefix(CUSTOM), int(m.get("begin")), int(m.get("end"))) for m in mentions]


def by_units(text: str, begin: int, end: int) -> str:
    """What offsets in UTF-16 code units point to, without any table."""
    return text.encode("utf-16-le")[2 * begin : 2 * end].decode("utf-16-le")


def test_e3c_mentions_agree_with_an_independent_reading(
    real_mirror: str, real: dict[str, build.Built], out: Path
) -> None:
    documents = {row["id"]: row for row in rows(out, "e3c", "full")}
    paths = sorted(Path(real_mirror, "e3c/data_annotation/Italian/layer1").glob("*.xml"))
    assert len(paths) == len(documents) == 86
    for path in paths:
        text, mentions = upstream(path)
        row = documents[path.stem]
        assert row["text"] == text
        assert Counter((span["label"], span["text"]) for span in row["spans"]) == Counter(
            (kind, by_units(text, begin, end)) for kind, begin, end in mentions
        )


def test_e3c_naive_slicing_would_be_wrong_in_one_document(real_mirror: str) -> None:
    """IT101195 holds one character outside the basic plane; without the conversion every later mention shifts."""
    shifted: dict[str, Counter[str]] = {}
    for path in Path(real_mirror, "e3c/data_annotation/Italian/layer1").glob("*.xml"):
        text, mentions = upstream(path)
        wrong = Counter(kind for kind, begin, end in mentions if text[begin:end] != by_units(text, begin, end))
        if wrong:
            shifted[path.stem] = wrong
    assert list(shifted) == ["IT101195"]
    assert (shifted["IT101195"]["EVENT"], shifted["IT101195"]["CLINENTITY"]) == (53, 13)


def test_e3c_split_is_upstreams(real_mirror: str, real: dict[str, build.Built], out: Path) -> None:
    listed = Path(real_mirror, "e3c/documentation/train_test_split.txt").read_text("utf-8")
    for row in rows(out, "e3c", "full"):
        assert (f"'{row['doc_id']}'" in listed) == (row["split"] == "train")


def test_e3c_layers_2_and_3(real: dict[str, build.Built]) -> None:
    silver = split(real, "e3c", "layer2", "train")
    assert (silver.documents, silver.examples, silver.annotations) == (174, 2436, {"CLINENTITY": 1686})
    texts = split(real, "e3c", "layer3", "train")
    assert (texts.documents, texts.examples, texts.annotations) == (10_213, 10_213, {"words": 11_527_440})


def test_e3c_warnings(real: dict[str, build.Built]) -> None:
    expected = {
        "concept_id_in_discontinuous": 19,
        "document_annotated_for_disorders_alone": 28,
        "document_without_temporal_links": 57,
        "duplicate_exact": 290,
        "duplicate_stripped": 297,
        "duplicate_white_space_folded": 298,
        "self_link": 2,
    }
    found = real["e3c"].report.warnings
    assert {kind: found[kind] for kind in expected} == expected


def test_e3c_documents_without_some_annotation_by_hand(real_mirror: str) -> None:
    roots = [etree.parse(str(path)) for path in Path(real_mirror, "e3c/data_annotation/Italian/layer1").glob("*.xml")]
    assert sum(root.find(f".//{CUSTOM}EVENT") is None for root in roots) == 28
    assert sum(root.find(f".//{CUSTOM}EVENTTLINKLink") is None for root in roots) == 57


def test_e3c_layer3_duplicates_by_hand(real: dict[str, build.Built], out: Path) -> None:
    texts = [row["text"] for row in rows(out, "e3c", "layer3")]
    forms = (texts, [t.strip() for t in texts], [" ".join(t.split()) for t in texts])
    assert [len(form) - len(set(form)) for form in forms] == [290, 297, 298]


@pytest.fixture(scope="session")
def e3c_tree(real_mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as a mirror of plain files: what the annotation is, and the collection out of its archive."""
    mirror = tmp_path_factory.mktemp("tree")
    source, tree = Path(real_mirror, "e3c"), mirror / "e3c"
    for path in [*source.glob("data_annotation/Italian/layer[12]/*.xml"), *source.glob("documentation/*")]:
        target = tree / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    with tarfile.open(source / "data_collection_Italian.tar.xz") as archive:
        archive.extractall(tree, filter="data")
    return mirror


@pytest.fixture(scope="session")
def e3c_zip(e3c_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as GitHub's zip archive: everything below one top folder."""
    mirror = tmp_path_factory.mktemp("zip")
    (mirror / "e3c").mkdir()
    with zipfile.ZipFile(mirror / "e3c" / f"{TOP}.zip", "w") as archive:
        for path in sorted((e3c_tree / "e3c").rglob("*")):
            archive.write(path, f"{TOP}/{path.relative_to(e3c_tree / 'e3c').as_posix()}")
    return mirror


@pytest.mark.parametrize("shape", ["e3c_tree", "e3c_zip"])
def test_e3c_reads_the_same_from_every_shape_of_mirror(
    request: pytest.FixtureRequest, real: dict[str, build.Built], out: Path, tmp_path: Path, shape: str
) -> None:
    again = build.build("e3c", tmp_path, str(request.getfixturevalue(shape)))
    assert again.report.as_dict() == real["e3c"].report.as_dict()
    assert parquet_bytes(tmp_path / "e3c") == parquet_bytes(out / "e3c")


# ----- argument mining -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "part", "sentences", "claims", "premises"),
    [
        ("neoplasm", "train", 4405, 730, 1535),
        ("neoplasm", "validation", 679, 108, 218),
        ("neoplasm", "test", 1251, 248, 438),
        ("glaucoma", "test", 1247, 190, 404),
        ("mixed", "test", 1147, 212, 388),
    ],
)
def test_abstrct(
    real: dict[str, build.Built], config: str, part: str, sentences: int, claims: int, premises: int
) -> None:
    counts = split(real, "abstrct", config, part)
    assert counts.examples == sentences
    assert counts.annotations == {"Claim": claims, "Premise": premises}
    assert not counts.dropped


@pytest.mark.parametrize(
    ("part", "documents", "claims", "premises", "dropped"),
    [
        ("train", 381, 3350, 1603, {"i_without_b": 1}),
        ("validation", 55, 519, 221, {}),
        ("test", 117, 1063, 441, {}),
    ],
)
def test_casimedicos(
    real: dict[str, build.Built], part: str, documents: int, claims: int, premises: int, dropped: dict[str, int]
) -> None:
    counts = split(real, "casimedicos_arg", "arguments", part)
    assert (counts.documents, counts.examples) == (documents, documents)
    assert counts.annotations == {"Claim": claims, "Premise": premises}
    assert counts.dropped == dropped


def test_casimedicos_space_separated_lines(real: dict[str, build.Built]) -> None:
    assert real["casimedicos_arg"].report.warnings == {"line_separated_by_spaces": 97}


@pytest.mark.parametrize(("name", "config"), [("abstrct", "neoplasm"), ("casimedicos_arg", "arguments")])
def test_arguments_do_not_overlap(real: dict[str, build.Built], out: Path, name: str, config: str) -> None:
    for row in rows(out, name, config):
        spans = row["spans"]
        assert all(left["end"] <= right["start"] for left, right in pairwise(spans))


# ----- questions and forms ---------------------------------------------------------------------------------


def test_med_ita(real: dict[str, build.Built]) -> None:
    found = {config: split(real, "med_ita", config, part).examples for config, part in real["med_ita"].report.splits}
    assert found == {"questions": 10_000, "hard": 100, "shots": 5}
    assert real["med_ita"].report.warnings == {"questions: repeated_question_text": 63}


def test_med_ita_repeats_by_hand(real: dict[str, build.Built], out: Path) -> None:
    questions = [row["question"] for row in rows(out, "med_ita", "questions")]
    assert len(questions) - len(set(questions)) == 63


def test_dyspnea_gold(real: dict[str, build.Built], out: Path) -> None:
    counts = split(real, "dyspnea_crf", "gold", "validation")
    assert counts.examples == 80
    assert counts.annotations == {"unknown": 10_321, "known": 399}
    assert {len(row["items"]) for row in rows(out, "dyspnea_crf", "gold")} == {134}


def test_dyspnea_says_that_the_notes_are_missing(real: dict[str, build.Built], out: Path) -> None:
    report = real["dyspnea_crf"].report
    assert report.warnings == {"note_missing": 80}
    assert set(report.missing) == {"dyspnea"}
    assert "NLP-FBK/dyspnea-crf-development" in report.missing["dyspnea"]
    assert not (out / "dyspnea_crf" / "dyspnea").exists()


def test_asking_for_the_missing_notes_is_an_error(real_mirror: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="NLP-FBK/dyspnea-crf-development"):
        build.build("dyspnea_crf", tmp_path, real_mirror, ["dyspnea"])
    assert list(tmp_path.iterdir()) == []


# ----- checksums -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DATASETS)
def test_pinned_files_are_those_of_the_mirror(real_mirror: str, name: str) -> None:
    plain = {path: digest for path, digest in build.pinned(name).items() if not path.endswith("/")}
    assert plain
    for path, digest in plain.items():
        assert hashlib.sha256(Path(real_mirror, name, path).read_bytes()).hexdigest() == digest, path


@pytest.mark.parametrize("name", DATASETS)
def test_every_file_that_is_read_is_pinned(real_mirror: str, name: str) -> None:
    files = build.open_files(name, real_mirror)
    configs = [config for config in build.builder(name).CONFIGS if config not in ("layer3", "dyspnea")]
    assert list(build.examples(name, configs, files=files))
    assert files.seen
    assert set(files.seen) <= set(build.pinned(name))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("e3c", "disorder"),
        ("e3c", "layer2"),
        ("e3c", "layer3"),
        ("abstrct", "mixed"),
        ("casimedicos_arg", "arguments"),
        ("med_ita", "hard"),
        ("dyspnea_crf", "gold"),
    ],
)
def test_a_build_verifies_checksums(
    real_mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, config: str
) -> None:
    others = dict.fromkeys(build.pinned(name), "0" * 64)
    monkeypatch.setattr(build, "pinned", lambda _: others)
    with pytest.raises(SourceError, match=r"has sha256 \w+…, expected 000000000000…"):
        build.build(name, tmp_path, real_mirror, [config])
    assert list(tmp_path.iterdir()) == []


def test_layer3_digest_covers_every_file(real_mirror: str) -> None:
    """The one digest of the folder is over `sha256sum` lines, as in the documentation of `folder_digest`."""
    lines = []
    with tarfile.open(Path(real_mirror, "e3c/data_collection_Italian.tar.xz")) as archive:
        for member in archive:
            if member.isfile() and "/layer3/" in member.name:
                content = archive.extractfile(member)
                assert content is not None
                lines.append(f"{hashlib.sha256(content.read()).hexdigest()}  {member.name}\n")
    assert len(lines) == 10_213
    lines.sort(key=lambda line: line.split("  ", 1)[1])
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert build.pinned("e3c")["data_collection/Italian/layer3/"] == digest
