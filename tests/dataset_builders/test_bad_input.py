"""What bad input gets: one line that names file and record, exit code 1, and an output folder without anything new."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ita_med.dataset_builders import build

pytestmark = pytest.mark.slow

XML = "data_annotation/Italian/layer1/IT900003.xml"
SILVER = "data_annotation/Italian/layer2/IT900101.xml"
RECORD = "data_collection/Italian/layer3/IT900201.json"
SPLIT = "documentation/train_test_split.txt"
QUESTIONS = "dataset.jsonl"
GLAUCOMA = "IT/nllb/argument_components/manual_revision/it_glaucoma_nllb_awesome_test.tsv"
DEV = "IT/dev.tsv"
GOLD = "development_data/dev_gt.jsonl"
NOTES = "dyspnea-crf-development/data/it.jsonl"

Damage = Callable[[Path], object]
Command = Callable[..., Any]


# ----- ways to damage a file of a mirror ---------------------------------------------------------------------


def swap(path: str, old: str, new: str, *, all: bool = False) -> Damage:
    """Replace the first (or every) occurrence of some text, which must be there."""

    def damage(root: Path) -> None:
        content = (root / path).read_bytes()
        assert old.encode() in content
        (root / path).write_bytes(content.replace(old.encode(), new.encode(), -1 if all else 1))

    return damage


def write(path: str, content: bytes) -> Damage:
    return lambda root: (root / path).write_bytes(content)


def cut(path: str) -> Damage:
    """Keep the first half."""

    def damage(root: Path) -> None:
        content = (root / path).read_bytes()
        (root / path).write_bytes(content[: len(content) // 2])

    return damage


def not_utf8(path: str) -> Damage:
    """A Latin-1 letter in the middle of a file."""

    def damage(root: Path) -> None:
        content = (root / path).read_bytes()
        middle = next(n for n in range(len(content) // 2, len(content)) if content[n : n + 1].isalpha())
        (root / path).write_bytes(content[:middle] + b"\xe8" + content[middle + 1 :])

    return damage


def line(path: str, number: int, change: Callable[[dict[str, Any]], Any]) -> Damage:
    """Change the JSON object in one line."""

    def damage(root: Path) -> None:
        lines = (root / path).read_text("utf-8").splitlines()
        record = json.loads(lines[number - 1])
        changed = change(record)
        lines[number - 1] = changed if isinstance(changed, str) else json.dumps(record)
        (root / path).write_text("\n".join(lines) + "\n", "utf-8")

    return damage


def record(change: Callable[[dict[str, Any]], Any]) -> Damage:
    """Change the E3C collection's first file."""

    def damage(root: Path) -> None:
        content = json.loads((root / RECORD).read_text("utf-8"))
        changed = change(content)
        (root / RECORD).write_text(changed if isinstance(changed, str) else json.dumps(content), "utf-8")

    return damage


def doctype(declaration: str, old: str, new: str) -> Damage:
    """Put a DOCTYPE in front of the document and use its entity."""

    def damage(root: Path) -> None:
        swap(XML, "<xmi:XMI ", f"<!DOCTYPE xmi:XMI [{declaration}]><xmi:XMI ")(root)
        swap(XML, old, new)(root)

    return damage


def remove(path: str) -> Damage:
    return lambda root: (root / path).unlink()


def packed(name: str, spoil: Callable[[bytes], bytes]) -> Damage:
    """Put all files into one archive and spoil its bytes."""

    def damage(root: Path) -> None:
        archive = root.parent / name
        files = sorted((path for path in root.rglob("*") if path.is_file()), key=lambda path: "layer3" in str(path))
        if name.endswith(".zip"):
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
                for path in files:
                    opened.write(path, f"top/{path.relative_to(root)}")
        else:
            with tarfile.open(archive, f"w:{name.rpartition('.')[2]}") as opened:
                for path in files:
                    opened.add(path, f"top/{path.relative_to(root)}")
        shutil.rmtree(root)
        root.mkdir()
        (root / name).write_bytes(spoil(archive.read_bytes()))
        archive.unlink()

    return damage


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def scrambled(content: bytes, part: float = 1 / 3) -> bytes:
    """The archive's head and tail are whole; a stretch inside is not."""
    start = int(len(content) * part)
    return content[:start] + bytes(255 - byte for byte in content[start : start + 400]) + content[start + 400 :]


def scrambled_late(content: bytes) -> bytes:
    return scrambled(content, 0.95)


def broken_header(content: bytes) -> bytes:
    """The last documents cannot be reached; a reader that stops there would build less without a word."""
    tar = gzip.decompress(content)
    name = b"top/data_collection/Italian/layer3/IT900220.json"
    assert tar.index(name) % 512 == 0
    return gzip.compress(tar.replace(name, b"TOP" + name[3:]))


LAUGHS = '<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
NOTE = 'note=""/>'
CASE = dict[str, Any]


def change(**values: Any) -> Callable[[CASE], Any]:
    return lambda content: content.update(values)


def drop(key: str) -> Callable[[CASE], Any]:
    return lambda content: content.__delitem__(key)


def answers(content: CASE) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = content["annotations"]
    return found


# ----- the cases: dataset, damage, what the message names -----------------------------------------------------

E3C: dict[str, tuple[Damage, list[str]]] = {
    "truncated XML": (cut(XML), ["IT900003.xml"]),
    "empty XML": (write(XML, b""), ["IT900003.xml"]),
    "XML in the wrong encoding": (not_utf8(XML), ["IT900003.xml"]),
    "XML without text": (swap(XML, "sofaString=", "sofaText="), ["IT900003.xml"]),
    "mention before the first sentence": (
        swap(XML, '<type4:Sentence xmi:id="4000" sofa="1" begin="0" end="116"/>', ""),
        ["IT900003.xml", "sentence"],
    ),
    "mention after the last sentence": (
        swap(XML, '<type4:Sentence xmi:id="4005" sofa="1" begin="376" end="454"/>', ""),
        ["IT900003.xml", "sentence"],
    ),
    "mention over two sentences": (
        swap(XML, 'xmi:id="5030" sofa="1" begin="29" end="36"', 'xmi:id="5030" sofa="1" begin="29" end="133"'),
        ["IT900003.xml", "EVENT 5030", "sentence"],
    ),
    "mention that cuts a word": (
        swap(XML, 'xmi:id="5030" sofa="1" begin="29" end="36"', 'xmi:id="5030" sofa="1" begin="29" end="35"'),
        ["IT900003.xml", "EVENT 5030", "word"],
    ),
    "mention that starts inside a word": (
        swap(XML, 'xmi:id="5030" sofa="1" begin="29" end="36"', 'xmi:id="5030" sofa="1" begin="30" end="36"'),
        ["IT900003.xml", "EVENT 5030", "word"],
    ),
    "mention that ends before it begins": (
        swap(XML, 'xmi:id="5030" sofa="1" begin="29" end="36"', 'xmi:id="5030" sofa="1" begin="36" end="29"'),
        ["IT900003.xml", "EVENT 5030"],
    ),
    "empty mention": (
        swap(XML, 'xmi:id="5030" sofa="1" begin="29" end="36"', 'xmi:id="5030" sofa="1" begin="29" end="29"'),
        ["IT900003.xml", "EVENT 5030"],
    ),
    "mention beyond the text": (
        swap(XML, 'xmi:id="5030" sofa="1" begin="29" end="36"', 'xmi:id="5030" sofa="1" begin="29" end="4000"'),
        ["IT900003.xml", "EVENT 5030"],
    ),
    "mention at a negative offset": (
        swap(XML, 'xmi:id="5030" sofa="1" begin="29" end="36"', 'xmi:id="5030" sofa="1" begin="-7" end="36"'),
        ["IT900003.xml", "EVENT 5030"],
    ),
    "offset that is no number": (
        swap(XML, 'xmi:id="5030" sofa="1" begin="29"', 'xmi:id="5030" sofa="1" begin="inizio"'),
        ["IT900003.xml", "EVENT 5030"],
    ),
    "mention without an offset": (
        swap(XML, 'xmi:id="5030" sofa="1" begin="29" end="36"', 'xmi:id="5030" sofa="1" begin="29"'),
        ["IT900003.xml", "EVENT 5030"],
    ),
    "mention without an id": (swap(XML, 'custom:EVENT xmi:id="5030"', "custom:EVENT"), ["IT900003.xml", "EVENT"]),
    "sentence without an offset": (
        swap(XML, 'xmi:id="4001" sofa="1" begin="117"', 'xmi:id="4001" sofa="1"'),
        ["IT900003.xml"],
    ),
    "sentence beyond the text": (
        swap(XML, 'sofa="1" begin="376" end="454"', 'sofa="1" begin="376" end="4540"'),
        ["IT900003.xml"],
    ),
    "link id that is missing": (swap(XML, 'TLINK="9000"', 'TLINK="9777"'), ["IT900003.xml", "EVENT 5060", "9777"]),
    "link to a missing mention": (
        swap(XML, 'role="BEFORE" target="5040"', 'role="BEFORE" target="7777"'),
        ["IT900003.xml", "EVENT 5060", "9000"],
    ),
    "result whose test is in another sentence": (
        swap(XML, 'role="PERTAINS" target="5150"', 'role="PERTAINS" target="5030"'),
        ["IT900003", "RML 5160"],
    ),
    "silver XML that is truncated": (cut(SILVER), ["IT900101.xml"]),
    "billion laughs": (doctype(LAUGHS, NOTE, 'note="&l9;"/>'), ["IT900003.xml"]),
    "small entity in an attribute": (
        doctype('<!ENTITY who "Donna">', 'sofaString="Donna', 'sofaString="&who;'),
        ["IT900003.xml"],
    ),
    "entity in an element": (
        doctype('<!ENTITY who "Donna">', "</xmi:XMI>", "&who;</xmi:XMI>"),
        ["IT900003.xml"],
    ),
    "external entity": (
        doctype('<!ENTITY x SYSTEM "file:///etc/passwd">', "</xmi:XMI>", "&x;</xmi:XMI>"),
        ["IT900003.xml"],
    ),
    "external entity in an attribute": (
        doctype('<!ENTITY x SYSTEM "file:///etc/passwd">', NOTE, 'note="&x;"/>'),
        ["IT900003.xml"],
    ),
    "external DTD": (
        swap(XML, "<xmi:XMI ", '<!DOCTYPE xmi:XMI SYSTEM "file:///etc/passwd"><xmi:XMI '),
        ["IT900003.xml"],
    ),
    "split file that lists a missing document": (swap(SPLIT, "IT900012", "IT909999"), [SPLIT, "IT909999"]),
    "split file without Italian": (swap(SPLIT, "ITALIAN", "FRENCH"), [SPLIT, "ITALIAN"]),
    "split file in the wrong encoding": (not_utf8(SPLIT), [SPLIT]),
    "no split file": (remove(SPLIT), [SPLIT]),
    "collection file that is truncated": (cut(RECORD), ["IT900201.json"]),
    "collection file in the wrong encoding": (not_utf8(RECORD), ["IT900201.json"]),
    "collection file that is a list": (write(RECORD, b"[]"), ["IT900201.json"]),
    "collection file with an unknown key": (record(change(colour="red")), ["IT900201.json", '"colour"']),
    "collection file without a key": (record(drop("licence")), ["IT900201.json", '"licence"']),
    "collection file with a repeated key": (
        record(lambda content: json.dumps(content).replace('"doi"', '"text": "altro", "doi"', 1)),
        ["IT900201.json", '"text"'],
    ),
    "collection file with NaN": (record(change(doi=float("nan"))), ["IT900201.json"]),
    "collection file whose text is null": (record(change(text=None)), ["IT900201.json", "text"]),
    "collection file whose text is a number": (record(change(text=7)), ["IT900201.json", "text"]),
    "collection file whose text is empty": (record(change(text="")), ["IT900201"]),
    "collection file whose id is taken": (record(change(id="IT900202")), ["IT900202"]),
    "collection file with half a character": (record(change(text="\ud800")), ["IT900201"]),
    "corrupt zip": (packed("E3C-Corpus-8196181e.zip", scrambled), ["E3C-Corpus-8196181e.zip"]),
    "half a zip": (packed("E3C-Corpus-8196181e.zip", halved), ["E3C-Corpus-8196181e.zip"]),
    "corrupt tar.xz": (packed("E3C-Corpus.tar.xz", scrambled), ["E3C-Corpus.tar.xz"]),
    "half a tar.xz": (packed("E3C-Corpus.tar.xz", halved), ["E3C-Corpus.tar.xz"]),
    "corrupt tar.gz": (packed("E3C-Corpus.tar.gz", scrambled), ["E3C-Corpus.tar.gz"]),
    "corrupt end of a zip": (packed("E3C-Corpus.zip", scrambled_late), ["E3C-Corpus.zip"]),
    "corrupt end of a tar.xz": (packed("E3C-Corpus.tar.xz", scrambled_late), []),
    "corrupt end of a tar.gz": (packed("E3C-Corpus.tar.gz", scrambled_late), []),
    "corrupt header in a tar.gz": (packed("E3C-Corpus.tar.gz", broken_header), ["E3C-Corpus.tar.gz"]),
    "half a tar.gz": (packed("E3C-Corpus.tar.gz", halved), ["E3C-Corpus.tar.gz"]),
    "text called zip": (packed("E3C-Corpus.zip", lambda _: b"<html>404</html>"), ["E3C-Corpus.zip"]),
    "text called tar.gz": (packed("E3C-Corpus.tar.gz", lambda _: b"<html>404</html>"), ["E3C-Corpus.tar.gz"]),
}

MED_ITA: dict[str, tuple[Damage, list[str]]] = {
    "unknown key": (line(QUESTIONS, 3, change(colour="red")), ["line 3", '"colour"']),
    "missing key": (line(QUESTIONS, 3, drop("answer")), ["line 3", '"answer"']),
    "NaN": (line(QUESTIONS, 3, change(category=float("nan"))), ["line 3", "NaN"]),
    "Infinity": (line(QUESTIONS, 3, change(category=float("inf"))), ["line 3", "Infinity"]),
    "repeated key": (
        line(QUESTIONS, 3, lambda content: json.dumps(content)[:-1] + ', "answer": "A"}'),
        ["line 3", '"answer"'],
    ),
    "line that is a list": (line(QUESTIONS, 3, lambda _: "[]"), ["line 3"]),
    "half a line": (line(QUESTIONS, 3, lambda content: json.dumps(content)[:40]), ["line 3"]),
    "deep nesting": (line(QUESTIONS, 3, lambda _: "[" * 100_000), ["line 3"]),
    "options from B on": (line(QUESTIONS, 3, change(options=[{"B": "sì"}, {"C": "no"}])), ["line 3", "'B', 'C'"]),
    "option letter twice": (line(QUESTIONS, 3, change(options=[{"A": "sì"}, {"A": "no"}])), ["line 3", "'A', 'A'"]),
    "small option letters": (line(QUESTIONS, 3, change(options=[{"a": "sì"}, {"b": "no"}])), ["line 3"]),
    "one option": (line(QUESTIONS, 3, change(options=[{"A": "sì"}], answer="A")), ["line 3"]),
    "options as on the Hub card": (line(QUESTIONS, 3, change(options={"A": "sì", "B": "no"})), ["line 3"]),
    "option with two keys": (line(QUESTIONS, 3, change(options=[{"A": "sì", "B": "no"}])), ["line 3"]),
    "option that is no text": (line(QUESTIONS, 3, change(options=[{"A": "sì"}, {"B": 2}], answer="A")), ["line 3"]),
    "answer that is no option": (line(QUESTIONS, 3, change(answer="F")), ["line 3", '"F"']),
    "answer as a number": (line(QUESTIONS, 3, change(answer=0)), ["line 3"]),
    "question that is a number": (line(QUESTIONS, 3, change(question=7)), ["line 3", "question"]),
    "question that is null": (line(QUESTIONS, 3, change(question=None)), ["line 3", "question"]),
    "category that is null": (line(QUESTIONS, 3, change(category=None)), ["line 3", "category"]),
    "wrong encoding": (not_utf8(QUESTIONS), ["UTF-8"]),
    "half a character": (
        line(QUESTIONS, 3, lambda content: json.dumps(content | {"question": "\ud800?"})),
        ["line 3"],
    ),
    "no file": (remove(QUESTIONS), []),
}

ABSTRCT: dict[str, tuple[Damage, list[str]]] = {
    "line without a tag": (swap(GLAUCOMA, "base O\n", "base\n"), ["line 4", '"base"']),
    "line without a token": (swap(GLAUCOMA, "base O\n", " O\n"), ["line 4"]),
    "line with three fields": (swap(GLAUCOMA, "base O\n", "base di O\n"), ["line 4", "base di O"]),
    "line with a TAB": (swap(GLAUCOMA, "base O\n", "base\tO\n"), ["line 4"]),
    "unknown tag": (swap(GLAUCOMA, "base O\n", "base B-MajorClaim\n"), ["B-MajorClaim", "base"]),
    "tag of another scheme": (swap(GLAUCOMA, "base O\n", "base S-Claim\n"), ["S-Claim", "base"]),
    "tag without a label": (swap(GLAUCOMA, "base O\n", "base B\n"), ['"B"', "base"]),
    "all claims without their start": (swap(GLAUCOMA, "B-Claim", "I-Claim", all=True), []),
    "wrong encoding": (not_utf8(GLAUCOMA), ["UTF-8"]),
    "empty file": (write(GLAUCOMA, b""), []),
    "no file": (remove(GLAUCOMA), []),
}

CASIMEDICOS: dict[str, tuple[Damage, list[str]]] = {
    "file that does not start with QUESTION": (swap(DEV, "QUESTION", "DOMANDA"), ["line 1", "QUESTION"]),
    "line without a tag": (swap(DEV, "Un\tB-Premise\tHighQuality\t\n", "Un\n"), ["line 8", "Un"]),
    "line with five fields": (swap(DEV, "Un\tB-Premise\tHighQuality\t\n", "Un\tO\t\t\tx\n"), ["line 8", "Un"]),
    "unknown quality": (swap(DEV, "Un\tB-Premise\tHighQuality", "Un\tB-Premise\tMediumQuality"), ["line 8"]),
    "unknown tag": (swap(DEV, "Un\tB-Premise", "Un\tB-Attack"), ["B-Attack", "Un"]),
    "wrong encoding": (not_utf8(DEV), ["UTF-8"]),
    "no file": (remove(DEV), []),
}

DYSPNEA: dict[str, tuple[Damage, list[str]]] = {
    "gold with 133 items": (line(GOLD, 2, lambda content: answers(content).__delitem__(-1)), ["9000002", "133"]),
    "gold with 135 items": (
        line(GOLD, 2, lambda content: answers(content).append({"item": "x", "ground_truth": "y"})),
        ["9000002", "135"],
    ),
    "gold with an unknown value": (
        line(GOLD, 2, lambda content: answers(content)[0].update(ground_truth="forse")),
        ["9000002", "forse", "chronic pulmonary disease"],
    ),
    "gold with an unknown item": (
        line(GOLD, 2, lambda content: answers(content)[0].update(item="colour of the socks", ground_truth="unknown")),
        ["9000002", "colour of the socks"],
    ),
    "gold with an item twice": (
        line(GOLD, 2, lambda content: answers(content)[1].update(answers(content)[0])),
        ["9000002", "chronic pulmonary disease"],
    ),
    "gold with a document twice": (line(GOLD, 2, change(document_id="9000001")), ["line 2", "9000001"]),
    "gold with an unknown key": (line(GOLD, 2, change(colour="red")), ["line 2", '"colour"']),
    "gold without its annotations": (line(GOLD, 2, drop("annotations")), ["line 2", '"annotations"']),
    "gold whose annotations are null": (line(GOLD, 2, change(annotations=None)), ["9000002"]),
    "gold whose annotations are an object": (
        line(GOLD, 2, change(annotations={str(n): "y" for n in range(134)})),
        ["9000002"],
    ),
    "gold as a submission": (
        line(GOLD, 2, lambda content: answers(content)[0].update(prediction="y")),
        ["9000002", "prediction"],
    ),
    "gold value that is a number": (
        line(GOLD, 2, lambda content: next(a for a in answers(content) if a["item"] == "spo2").update(ground_truth=88)),
        ["9000002", "spo2"],
    ),
    "gold value that is a list": (
        line(GOLD, 2, lambda content: answers(content)[0].update(ground_truth=[])),
        ["9000002", "chronic pulmonary disease"],
    ),
    "gold with NaN": (line(GOLD, 2, change(document_id=float("nan"))), ["line 2", "NaN"]),
    "gold whose document is a list": (line(GOLD, 2, change(document_id=[])), ["line 2"]),
    "gold in the wrong encoding": (not_utf8(GOLD), ["UTF-8"]),
    "note that is null": (line(NOTES, 2, change(clinical_note=None)), ["clinical_note"]),
    "note without a column": (line(NOTES, 2, drop("clinical_note")), ["line 2", '"clinical_note"']),
    "note with an unknown column": (line(NOTES, 2, change(lang="it")), ["line 2", '"lang"']),
    "note twice": (line(NOTES, 2, change(document_id="9000001_it")), ["9000001"]),
    "notes as broken Parquet": (
        lambda root: (root / NOTES).rename(root / NOTES.replace("jsonl", "parquet")),
        ["it.parquet"],
    ),
}

FILES = {
    "e3c": (E3C, ""),
    "med_ita": (MED_ITA, QUESTIONS),
    "abstrct": (ABSTRCT, Path(GLAUCOMA).name),
    "casimedicos_arg": (CASIMEDICOS, DEV),
    "dyspnea_crf": (DYSPNEA, ""),
}
CASES = [
    pytest.param(dataset, damage, [dataset, file, *named], id=f"{dataset}: {title}")
    for dataset, (cases, file) in FILES.items()
    for title, (damage, named) in cases.items()
]


# ----- what every case must end in ---------------------------------------------------------------------------


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with the samples of all datasets as if they were real: their checksums are not the pinned ones."""
    monkeypatch.setenv("ITA_MED_UNPINNED", "1")
    return tmp_path / "mirror"


def fill(mirror: Path, dataset: str) -> Path:
    return Path(shutil.copytree(build.folder(dataset) / "sample", mirror / dataset))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder in use: one finished data set lies there."""
    folder = tmp_path / "out"
    (folder / "finished" / "config").mkdir(parents=True)
    (folder / "finished" / "config" / "test-00000-of-00001.parquet").write_bytes(b"PAR1")
    return folder


def listing(folder: Path) -> list[tuple[str, bytes]]:
    return sorted((str(p), p.read_bytes() if p.is_file() else b"") for p in folder.rglob("*"))


def expect_refusal(ran: Any, out: Path, before: list[tuple[str, bytes]], named: list[str]) -> None:
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert ran.err.startswith("ita-med: ")
    assert [word for word in named if word not in ran.err] == [], ran.err
    assert ran.out == ""
    assert listing(out) == before


@pytest.mark.parametrize(("dataset", "damage", "named"), CASES)
def test_bad_file(command: Command, mirror: Path, out: Path, dataset: str, damage: Damage, named: list[str]) -> None:
    damage(fill(mirror, dataset))
    before = listing(out)
    ran = command("data", "build", dataset, "--mirror", mirror, "--out", out)
    expect_refusal(ran, out, before, named)


@pytest.mark.parametrize("dataset", FILES)
def test_the_same_mirror_unharmed_builds(command: Command, mirror: Path, out: Path, dataset: str) -> None:
    """Without this the refusals above would prove nothing."""
    fill(mirror, dataset)
    ran = command("data", "build", dataset, "--mirror", mirror, "--out", out)
    assert (ran.code, ran.err) == (0, "")
    assert (out / dataset / "README.md").is_file()


@pytest.mark.parametrize("name", ["E3C-Corpus-8196181e.zip", "E3C-Corpus.tar.xz", "E3C-Corpus.tar.gz"])
def test_the_same_archive_unharmed_builds(command: Command, mirror: Path, out: Path, name: str) -> None:
    packed(name, bytes)(fill(mirror, "e3c"))
    ran = command("data", "build", "e3c", "--mirror", mirror, "--out", out)
    assert (ran.code, ran.err) == (0, "")


# ----- the real process: what a user sees ----------------------------------------------------------------------


def process(*args: str | Path, **environment: str) -> Any:
    """`ita-med ARGS…` in a process of its own, with `code` as in the other runs."""
    ran = subprocess.run(
        [sys.executable, "-m", "ita_med.cli", *map(str, args)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=60,
    )
    return type("Ran", (), {"code": ran.returncode, "out": ran.stdout, "err": ran.stderr})


@pytest.mark.parametrize(
    ("dataset", "damage", "named"),
    [
        ("e3c", E3C["truncated XML"][0], ["IT900003.xml"]),
        ("e3c", E3C["billion laughs"][0], ["IT900003.xml"]),
        ("med_ita", MED_ITA["NaN"][0], [QUESTIONS, "line 3"]),
        ("dyspnea_crf", DYSPNEA["gold with 133 items"][0], ["9000002", "133"]),
    ],
)
def test_bad_file_in_a_real_process(mirror: Path, out: Path, dataset: str, damage: Damage, named: list[str]) -> None:
    damage(fill(mirror, dataset))
    before = listing(out)
    expect_refusal(process("data", "build", dataset, "--mirror", mirror, "--out", out), out, before, named)


def test_json_is_not_half_printed(mirror: Path, out: Path) -> None:
    """Of two datasets the first is good: it stays, but no program reads a report that lacks the second."""
    fill(mirror, "med_ita")
    cut(GOLD)(fill(mirror, "dyspnea_crf"))
    ran = process("data", "build", "med_ita", "dyspnea_crf", "--mirror", mirror, "--out", out, "--json")
    assert (ran.code, ran.out) == (1, "")
    assert len(ran.err.splitlines()) == 1
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "finished", "med_ita"]


# ----- names and folders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["abstract", "--mirror", "embedded"], ['"abstract"', 'did you mean "abstrct"?']),
        (["zzz", "--mirror", "embedded"], ['"zzz"', "ita-med data list"]),
        (["E3C", "--mirror", "embedded"], ['"E3C"', '"e3c"']),
        (["abstrct", "--config", "glaukoma", "--mirror", "embedded"], ['"glaukoma"', "glaucoma"]),
        (["abstrct", "e3c", "--config", "mixed", "--mirror", "embedded"], ["--config"]),
        (["wmt_biomed", "--mirror", "embedded"], ["wmt_biomed", "unavailable", "NCBI", "statmt.org"]),
        (["../e3c", "--mirror", "embedded"], ["../e3c"]),
        (["e3c", "--mirror", "/no/such/mirror"], ["e3c", "/no/such/mirror"]),
        (["e3c", "--mirror", "/etc/hostname"], ["e3c", "/etc/hostname"]),
        (["e3c", "--mirror", "/etc"], ["e3c", "/etc"]),
        ([], ["--all"]),
    ],
)
def test_bad_names(command: Command, out: Path, args: list[str], named: list[str]) -> None:
    before = listing(out)
    expect_refusal(command("data", "build", *args, "--out", out), out, before, named)


def test_missing_mirror_from_the_environment(out: Path) -> None:
    before = listing(out)
    ran = process("data", "build", "e3c", "--out", out, ITA_MED_MIRROR="/no/such/mirror")
    expect_refusal(ran, out, before, ["e3c", "/no/such/mirror"])


def test_mirror_without_the_dataset(command: Command, mirror: Path, out: Path) -> None:
    fill(mirror, "med_ita")
    before = listing(out)
    ran = command("data", "build", "abstrct", "--mirror", mirror, "--out", out)
    expect_refusal(ran, out, before, ['"abstrct"', str(mirror), "ita-med data pull abstrct"])


def test_mirror_with_an_empty_folder(command: Command, mirror: Path, out: Path) -> None:
    (mirror / "e3c").mkdir(parents=True)
    before = listing(out)
    ran = command("data", "build", "e3c", "--mirror", mirror, "--out", out)
    expect_refusal(ran, out, before, ["e3c", "Italian", "https://github.com/hltfbk/E3C-Corpus"])


def test_output_that_is_a_file(command: Command, tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.write_text("mine")
    ran = command("data", "build", "abstrct", "--mirror", "embedded", "--out", target)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert str(target) in ran.err
    assert target.read_text() == "mine"


# ----- archives that would write elsewhere, entities that would read elsewhere ---------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../../evil", "../../evil.xml", "/tmp/ita-med-evil", "../data_annotation/Italian/layer1/evil.xml", "..\\evil"],
)
def test_traversal_in_a_zip_writes_nothing(
    command: Command, mirror: Path, out: Path, tmp_path: Path, name: str
) -> None:
    def poison(content: bytes) -> bytes:
        archive = tmp_path / "poison.zip"
        archive.write_bytes(content)
        with zipfile.ZipFile(archive, "a") as opened:
            opened.writestr(name, "evil")
        return archive.read_bytes()

    packed("E3C-Corpus-8196181e.zip", poison)(fill(mirror, "e3c"))
    (tmp_path / "poison.zip").unlink()
    before = listing(tmp_path)
    ran = command("data", "build", "e3c", "--mirror", mirror, "--out", out)
    assert ran.code in (0, 1)
    assert len(ran.err.splitlines()) == ran.code
    new = {path for path, _ in listing(tmp_path)} - {path for path, _ in before}
    assert not [path for path in new if not path.startswith(str(out / "e3c")) and path != str(out / "README.md")]
    assert not [path for path in new if "evil" in path]
    assert not [p for folder in (Path.cwd(), tmp_path.parent, Path("/tmp")) for p in folder.glob("*evil*")]


def test_nothing_of_an_external_entity_is_shown(command: Command, mirror: Path, out: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("segreto-di-stato")
    damage = doctype(f'<!ENTITY x SYSTEM "file://{secret}">', "</xmi:XMI>", "&x;</xmi:XMI>")
    damage(fill(mirror, "e3c"))
    ran = command("data", "build", "e3c", "--mirror", mirror, "--out", out)
    assert "segreto" not in ran.out + ran.err
    assert not [path for path, content in listing(out) if b"segreto" in content]


# ----- checksums -----------------------------------------------------------------------------------------------------


def own_checksum(folder: Path, digest: str) -> None:
    (folder / "SHA256SUMS").write_text(f"{digest}  {GLAUCOMA}\n")


def test_mirror_with_its_own_checksums(command: Command, mirror: Path, out: Path) -> None:
    folder = fill(mirror, "abstrct")
    own_checksum(folder, "0" * 64)
    before = listing(out)
    ran = command("data", "build", "abstrct", "--mirror", mirror, "--out", out)
    expect_refusal(ran, out, before, [GLAUCOMA, "sha256"])
    own_checksum(folder, hashlib.sha256((folder / GLAUCOMA).read_bytes()).hexdigest())
    assert command("data", "build", "abstrct", "--mirror", mirror, "--out", out).code == 0


@pytest.mark.parametrize("content", ["not a checksum\n", "0123\n", f"{'0' * 64} *{GLAUCOMA}\n"])
def test_mirror_with_odd_checksums(command: Command, mirror: Path, out: Path, content: str) -> None:
    """The last is what `sha256sum --binary` writes; its digest is wrong."""
    (fill(mirror, "abstrct") / "SHA256SUMS").write_text(content)
    before = listing(out)
    ran = command("data", "build", "abstrct", "--mirror", mirror, "--out", out)
    expect_refusal(ran, out, before, ["abstrct", "SHA256SUMS" if "sha256sum" in ran.err else GLAUCOMA])


def test_samples_are_not_accepted_as_the_real_data(
    command: Command, mirror: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(mirror, "abstrct")
    monkeypatch.delenv("ITA_MED_UNPINNED")
    before = listing(out)
    ran = command("data", "build", "abstrct", "--mirror", mirror, "--out", out)
    expect_refusal(ran, out, before, ["abstrct", "it_glaucoma", "sha256", "ITA_MED_UNPINNED"])


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("dataset", "config", "path", "old", "new"),
    [
        ("abstrct", "glaucoma", GLAUCOMA, b" O\n", b"x O\n"),
        ("dyspnea_crf", "gold", GOLD, b'"ground_truth":"y"', b'"ground_truth":"n"'),
    ],
)
def test_a_changed_token_of_a_real_file(
    real_mirror: str, command: Command, mirror: Path, out: Path, monkeypatch: pytest.MonkeyPatch, dataset: str,
    config: str, path: str, old: bytes, new: bytes,
) -> None:  # fmt: skip
    content = Path(real_mirror, dataset, path).read_bytes()
    assert old in content
    target = mirror / dataset / path
    target.parent.mkdir(parents=True)
    target.write_bytes(content.replace(old, new, 1))
    before = listing(out)
    build_it = ("data", "build", dataset, "--config", config, "--mirror", mirror, "--out", out)
    monkeypatch.delenv("ITA_MED_UNPINNED")
    expect_refusal(command(*build_it), out, before, [dataset, path, "sha256", "ITA_MED_UNPINNED=1"])
    monkeypatch.setenv("ITA_MED_UNPINNED", "1")
    assert command(*build_it).code == 0
    monkeypatch.delenv("ITA_MED_UNPINNED")
    target.write_bytes(content)
    assert command(*build_it).code == 0
