"""Hostile input against every builder: one clear line, exit code 1, nothing written outside or half.

Attacks are generic: they know file formats, not datasets. A sample that is attacked as JSON, text, Parquet, zip or tar
must be refused, or where a format allows the oddity, build as if it were not there; never a stack trace, never a
connection, never a file beside the output folder.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import socket
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ita_med import archives, catalogue, checksums, sources
from ita_med.build_report import BuildReport
from ita_med.dataset_builders import build
from ita_med.errors import ItaMedError

pytestmark = pytest.mark.slow

Command = Callable[..., Any]
Change = Callable[[bytes], bytes]
READY = [entry.id for entry in catalogue.datasets() if entry.has_builder]
JSON = (".json", ".jsonl")
BINARY = (".parquet", ".xlsx", ".bz2")
XML = (".xml", ".tmx")
NOT_DECODED = {"EMEA.en-it.en"}
"""EMEA's English side: only its lines are counted."""
MAX_LINE = 1100
EVERY_ATTACK = ("e3c", "med_ita", "imb_mcqa", "pharmaer", "multicardioner")
"""One builder per way of reading, which meets every attack."""
CORE = {
    "cp1252", "NaN", "list for object", "number for text", "truncated", "empty",
    "no rows", "numbers for texts", "nulls for texts",
}  # fmt: skip
"""What the others meet: what a builder could read in its own way. Archives, decoding and JSON are read alike by all."""


@cache
def read_files(name: str) -> tuple[str, ...]:
    """The sample's files that the builder reads."""
    files = build.open_files(name, sources.EMBEDDED)
    for _ in build.validated(name, None, files, BuildReport()):
        pass
    return tuple(sorted(files.seen))


def victims(name: str, suffixes: tuple[str, ...] = (), but: tuple[str, ...] = ()) -> list[str]:
    """The first file that is read of each kind."""
    found: dict[str, str] = {}
    for path in read_files(name):
        suffix = Path(path).suffix
        if suffix not in but and path not in NOT_DECODED and (not suffixes or suffix in suffixes):
            found.setdefault(suffix, path)
    return list(found.values())


def cases(attacks: Iterable[str], wanted: Callable[[frozenset[str]], object]) -> list[Any]:
    """(builder, attack) for the builders whose sample holds the wanted kinds of files."""
    names = [name for name in READY if wanted(kinds(name))]
    return [
        pytest.param(name, title, id=f"{name}-{title}")
        for name in names
        for title in attacks
        if name in EVERY_ATTACK or title in CORE
    ]


@cache
def kinds(name: str) -> frozenset[str]:
    """Suffixes in the sample folder, without building anything."""
    return frozenset(path.suffix for path in (build.folder(name) / "sample").rglob("*") if path.is_file())


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a builder opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv(checksums.UNPINNED_VARIABLE, "1")


@pytest.fixture
def attack(tmp_path: Path, command: Command) -> Callable[..., str | None]:
    """Build a damaged sample; the one line of the refusal, or None if it was built. All else fails the test."""

    def run(name: str, damage: Callable[[Path], object]) -> str | None:
        shutil.rmtree(tmp_path / "mirror", ignore_errors=True)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        folder = tmp_path / "mirror" / name
        shutil.copytree(build.folder(name) / "sample", folder)
        damage(folder)
        before = listing(tmp_path)
        ran = command("data", "build", name, "--mirror", tmp_path / "mirror", "--out", tmp_path / "out")
        if ran.code == 0:
            new = set(listing(tmp_path)) - set(before)
            assert not [path for path in new if not path.startswith("out/") and path != "out"]
            return None
        assert ran.code == 1
        assert ran.out == ""
        line = str(ran.err)
        assert line.startswith(f"ita-med: {name}: "), line[:300]
        assert len(line.splitlines()) == 1
        assert len(line) < MAX_LINE
        assert line.removesuffix("\n").isprintable()
        assert listing(tmp_path) == before
        return line

    return run


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def changed(path: str, change: Change) -> Callable[[Path], object]:
    def damage(root: Path) -> None:
        content = (root / path).read_bytes()
        harmed = change(content)
        assert harmed != content
        (root / path).write_bytes(harmed)

    return damage


# ----- encodings -----------------------------------------------------------------------------------------------------


def inserted(what: bytes) -> Change:
    """Something between two letters in the middle of a file."""

    def change(content: bytes) -> bytes:
        letters = [m.end() for m in re.finditer(rb"[a-z](?=[a-z])", content)]
        place = letters[len(letters) // 2]
        return content[:place] + what + content[place:]

    return change


ENCODINGS: dict[str, Change] = {
    "UTF-16": lambda content: content.decode("utf-8-sig").encode("utf-16"),
    "UTF-16 without a mark": lambda content: content.decode("utf-8-sig").replace("a", "è").encode("utf-16-be"),
    "cp1252": inserted("è".encode("cp1252")),
    "half a character": inserted(b"\xed\xa0\x80"),
    "overlong slash": inserted(b"\xc0\xaf"),
    "NUL": inserted(b"\0"),
}


@pytest.mark.parametrize(("name", "title"), cases(ENCODINGS, lambda kinds: kinds - set(BINARY)))
def test_wrong_encoding_is_refused(attack: Any, name: str, title: str) -> None:
    for path in victims(name, but=BINARY):
        line = attack(name, changed(path, ENCODINGS[title]))
        if line is None and title == "UTF-16" and path.endswith(XML):
            continue  # XML that says so with its byte order mark is XML
        assert line, f"{path} was read all the same"
        assert Path(path).stem in line


@pytest.mark.parametrize("name", [name for name in READY if kinds(name) - {*BINARY, *XML}])
def test_a_byte_order_mark_changes_nothing(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "mirror" / name
    shutil.copytree(build.folder(name) / "sample", folder)
    for path in victims(name, but=(*BINARY, *XML, ".ann")):
        (folder / path).write_bytes(b"\xef\xbb\xbf" + (folder / path).read_bytes())
    found = build.build(name, tmp_path / "out", str(tmp_path / "mirror")).as_dict()
    plain = build.build(name, tmp_path / "plain", sources.EMBEDDED).as_dict()
    del plain["warnings"]["synthetic_sample"]
    assert found | {"seconds": 0} == plain | {"seconds": 0}


# ----- JSON ----------------------------------------------------------------------------------------------------------

TEXT = re.compile(r'(?<=[:,\[]) ?"(?:[^"\\]|\\.)*"(?=[,}\]])')


def longest_text(text: str, new: Callable[[str], str]) -> str:
    """Replace the longest string value of a JSON text."""
    found = max(TEXT.finditer(text), key=lambda match: len(match[0]))
    return text[: found.start()] + new(found[0].strip()) + text[found.end() :]


def on_first_line(change: Callable[[str], str]) -> Change:
    """Change the first line; a JSON file that is one value counts as one line."""

    def apply(content: bytes) -> bytes:
        text = content.decode("utf-8-sig")
        lines = text.split("\n")
        if text.lstrip().startswith("{") and _is_json(lines[0]):
            return "\n".join([change(lines[0]), *lines[1:]]).encode("utf-8", "surrogatepass")
        return change(text).encode("utf-8", "surrogatepass")

    return apply


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def repeated_key(text: str) -> str:
    """The first key of the first object that has one stands there twice."""
    key = re.search(r'\{\s*("(?:[^"\\]|\\.)*")\s*:', text)
    assert key
    return text[: key.start() + 1] + f"{key[1]}: null, " + text[key.start() + 1 :]


def other_container(text: str) -> str:
    """A list for an object, an object for a list."""
    value = json.loads(text)
    return json.dumps(list(value.values()) if isinstance(value, dict) else {"0": value})


JSON_ATTACKS: dict[str, Change] = {
    "NaN": on_first_line(lambda text: longest_text(text, lambda _: "NaN")),
    "Infinity": on_first_line(lambda text: longest_text(text, lambda _: "-Infinity")),
    "repeated key": on_first_line(repeated_key),
    "list for object": on_first_line(other_container),
    "deep lists": on_first_line(lambda text: longest_text(text, lambda _: "[" * 100_000)),
    "closed deep lists": on_first_line(lambda text: longest_text(text, lambda _: "[" * 50_000 + "]" * 50_000)),
    "deep objects": on_first_line(lambda text: longest_text(text, lambda _: '{"a":' * 100_000)),
    "half a character": on_first_line(lambda text: longest_text(text, lambda old: f'"\\ud800{old[1:]}')),
    "number for text": on_first_line(lambda text: longest_text(text, lambda _: "7")),
    "huge number": on_first_line(lambda text: longest_text(text, lambda _: "9" * 10_000)),
    "null": on_first_line(lambda text: longest_text(text, lambda _: "null")),
    "object for text": on_first_line(lambda text: longest_text(text, lambda old: f'{{"text": {old}}}')),
    "truncated": lambda content: content[: len(content) // 2],
    "something behind": on_first_line(lambda text: text + "}"),
    "empty": lambda _: b"",
    "white space": lambda _: b" \n \n",
    "just null": lambda _: b"null\n",
    "terminal escapes": on_first_line(lambda text: text[:-1] + ', "\\u001b[31m\\u0007": 1}'),
}


@pytest.mark.parametrize(("name", "title"), cases(JSON_ATTACKS, lambda kinds: kinds & set(JSON)))
def test_hostile_json_is_refused(attack: Any, name: str, title: str) -> None:
    for path in victims(name, JSON):
        line = attack(name, changed(path, JSON_ATTACKS[title]))
        assert line, f"{path} was read all the same"
        assert Path(path).stem in line or "no examples" in line


# ----- CSV and TSV ---------------------------------------------------------------------------------------------------


def in_first_row(new: str) -> Change:
    """Put something into the last field of the first data row."""

    def change(content: bytes) -> bytes:
        text = content.decode("utf-8-sig")
        end = text.index("\n", text.index("\n") + 1)
        return (text[:end].removesuffix("\r") + new + text[end:]).encode()

    return change


TABLES: dict[str, Change] = {
    "quote that is never closed": in_first_row('\t,"'),
    "field of 200 kB": in_first_row("x" * 200_000),
    "field with a line feed": in_first_row('"a\nb"'),
    "carriage return alone": in_first_row("a\rb"),
    "a thousand columns": in_first_row("\tx,y" * 1000),
    "line separators of Unicode": in_first_row("a\u2028b\u0085c"),
}


@pytest.mark.parametrize("title", TABLES)
@pytest.mark.parametrize("name", [name for name in READY if kinds(name) & {".csv", ".tsv"}])
def test_odd_tables_are_refused_or_read(attack: Any, name: str, title: str) -> None:
    for path in victims(name, (".csv", ".tsv")):
        line = attack(name, changed(path, TABLES[title]))
        assert line is None or Path(path).stem in line


# ----- Parquet -------------------------------------------------------------------------------------------------------


def as_parquet(victim: str, change: Callable[[pa.Table], pa.Table | bytes]) -> Callable[[Path], object]:
    """Turn every JSON Lines file into Parquet, and change one."""

    def damage(root: Path) -> None:
        for path in sorted([*root.rglob("*.jsonl"), *root.rglob("*.parquet")]):
            place = path.relative_to(root).as_posix()
            if path.suffix == ".parquet":
                table = pq.read_table(path)
            else:
                lines = path.read_text("utf-8").splitlines()
                table = pa.Table.from_pylist([json.loads(line) for line in lines if line.strip()])
            path.unlink()
            new = change(table) if place == victim else table
            if isinstance(new, bytes):
                path.with_suffix(".parquet").write_bytes(new)
            else:
                pq.write_table(new, path.with_suffix(".parquet"))

    return damage


def bytes_of(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def retyped(kind: pa.DataType, value: Any) -> Callable[[pa.Table], pa.Table]:
    """Every text column becomes another type."""

    def change(table: pa.Table) -> pa.Table:
        for n, field in enumerate(table.schema):
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
                table = table.set_column(n, pa.field(field.name, kind), pa.array([value] * len(table), kind))
        return table

    return change


PARQUET: dict[str, Callable[[pa.Table], pa.Table | bytes]] = {
    "truncated": lambda table: bytes_of(table)[:-40],
    "half": lambda table: bytes_of(table)[: len(bytes_of(table)) // 2],
    "scrambled": lambda table: b"PAR1" + b"\xff" * 400 + bytes_of(table)[404:],
    "text": lambda _: b"<html>404</html>",
    "empty file": lambda _: b"",
    "no rows": lambda table: table.slice(0, 0),
    "no columns": lambda table: table.select([]),
    "numbers for texts": retyped(pa.int64(), 7),
    "lists for texts": retyped(pa.list_(pa.string()), ["a"]),
    "bytes for texts": retyped(pa.binary(), b"\xff\xfe"),
    "nulls for texts": retyped(pa.string(), None),
    "a column twice": lambda table: table.append_column(table.column_names[0], table.column(0)),
}


@cache
def takes_parquet(name: str) -> bool:
    """Whether the builder reads its JSON Lines files in this form too."""
    import tempfile

    if not kinds(name) & {".jsonl", ".parquet"}:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name
        shutil.copytree(build.folder(name) / "sample", folder)
        try:
            as_parquet("", lambda table: table)(folder)
            for _ in build.validated(name, None, sources.RawFiles(name, folder, "mirror"), BuildReport()):
                pass
        except (ItaMedError, pa.ArrowException):
            return False
    return True


@pytest.mark.parametrize(("name", "title"), cases(PARQUET, lambda kinds: kinds & {".jsonl", ".parquet"}))
def test_hostile_parquet_is_refused(attack: Any, name: str, title: str) -> None:
    if not takes_parquet(name):
        return
    victim = victims(name, (".jsonl", ".parquet"))[0]
    if "for texts" in title and not text_columns(name, victim):
        return
    assert attack(name, as_parquet(victim, PARQUET[title])), "it was read all the same"


def text_columns(name: str, path: str) -> bool:
    if name == "qa_mediche":
        return False  # its texts are nested; those at the top are notes on a dialogue
    if path.endswith(".parquet"):
        return True
    line = (build.folder(name) / "sample" / path).read_text("utf-8").split("\n")[0]
    return any(isinstance(value, str) for value in json.loads(line).values())


def test_most_hub_builders_take_parquet() -> None:
    """Without this the test above could be empty."""
    assert len([name for name in READY if takes_parquet(name)]) >= 8


# ----- archives ------------------------------------------------------------------------------------------------------


def zipped(poison: Callable[[zipfile.ZipFile, str], object], without: bool = False) -> Callable[[str, Path], object]:
    """The sample as upstream's zip with something bad in it; `without`: in the place of a needed file."""

    def damage(victim: str, root: Path) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(p for p in root.rglob("*") if p.is_file()):
                place = path.relative_to(root).as_posix()
                if not (without and place == victim):
                    archive.write(path, f"top/{place}")
            poison(archive, f"top/{victim}")
        shutil.rmtree(root)
        root.mkdir()
        (root / "corpus.zip").write_bytes(packed.getvalue())

    return damage


def tarred(poison: Callable[[tarfile.TarFile, str], object], without: bool = False) -> Callable[[str, Path], object]:
    def damage(victim: str, root: Path) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
            for path in sorted(p for p in root.rglob("*") if p.is_file()):
                place = path.relative_to(root).as_posix()
                if not (without and place == victim):
                    archive.add(path, f"top/{place}")
            poison(archive, f"top/{victim}")
        shutil.rmtree(root)
        root.mkdir()
        (root / "corpus.tar.gz").write_bytes(packed.getvalue())

    return damage


def zip_link(archive: zipfile.ZipFile, name: str) -> None:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def tar_special(kind: bytes) -> Callable[[tarfile.TarFile, str], None]:
    def add(archive: tarfile.TarFile, name: str) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)

    return add


def zip_nested(archive: zipfile.ZipFile, name: str) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as nested:
        nested.writestr(name, bytes(2**20))
    archive.writestr("top/inner.zip", inner.getvalue())


def tar_member(name: str, content: bytes) -> Callable[[tarfile.TarFile, str], None]:
    def add(archive: tarfile.TarFile, victim: str) -> None:
        info = tarfile.TarInfo(name.format(victim=victim))
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))

    return add


BOMB = bytes(2**23 + 2**20)
REFUSED = {
    "zip: bomb": zipped(lambda archive, victim: archive.writestr(victim, BOMB), without=True),
    "zip: link for a file": zipped(zip_link, without=True),
    "zip: file in a nested zip": zipped(zip_nested, without=True),
    "zip: file under an absolute path": zipped(
        lambda archive, victim: archive.writestr(f"/{victim}", "x"), without=True
    ),
    "zip: file above the top": zipped(lambda archive, victim: archive.writestr(f"../{victim}", "x"), without=True),
    "tar: bomb": tarred(tar_member("{victim}", BOMB), without=True),
    "tar: symbolic link for a file": tarred(tar_special(tarfile.SYMTYPE), without=True),
    "tar: hard link for a file": tarred(tar_special(tarfile.LNKTYPE), without=True),
    "tar: pipe for a file": tarred(tar_special(tarfile.FIFOTYPE), without=True),
    "tar: device for a file": tarred(tar_special(tarfile.CHRTYPE), without=True),
}
HARMLESS = {
    "zip: path traversal": zipped(lambda archive, _: archive.writestr("../../evil.json", "x")),
    "zip: absolute path": zipped(lambda archive, _: archive.writestr("/tmp/ita-med-evil", "x")),
    "zip: drive letter": zipped(lambda archive, _: archive.writestr("C:\\evil.txt", "x")),
    "zip: bomb that nobody asked for": zipped(lambda archive, _: archive.writestr("top/zeros", BOMB)),
    "zip: many members": zipped(lambda archive, _: [archive.writestr(f"junk/{n}", b"") for n in range(2000)]),
    "tar: path traversal": tarred(tar_member("../../evil.json", b"x")),
    "tar: absolute path": tarred(tar_member("/tmp/ita-med-evil", b"x")),
    "tar: link out": tarred(tar_special(tarfile.SYMTYPE)),
}


@cache
def reads_archives(name: str) -> bool:
    """Whether the builder reads its files from upstream's archive too: the unharmed one builds."""
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name
        shutil.copytree(build.folder(name) / "sample", folder)
        zipped(lambda *_: None)("", folder)
        try:
            for _ in build.validated(name, None, sources.RawFiles(name, folder, "mirror"), BuildReport()):
                pass
        except ItaMedError:
            return False
    return True


@cache
def needed(name: str, path: str) -> bool:
    """Whether the builder cannot do without this file of its sample."""
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name
        shutil.copytree(build.folder(name) / "sample", folder)
        (folder / path).unlink()
        try:
            for _ in build.validated(name, None, sources.RawFiles(name, folder, "mirror"), BuildReport()):
                pass
        except ItaMedError:
            return True
    return False


@pytest.mark.parametrize(("name", "title"), cases([*REFUSED, *HARMLESS], bool))
def test_hostile_archives(attack: Any, name: str, title: str) -> None:
    if not reads_archives(name):
        return
    victim = read_files(name)[0]
    before = sorted(Path("/tmp").glob("*evil*"))
    line = attack(name, lambda root: (REFUSED | HARMLESS)[title](victim, root))
    if title in REFUSED:
        assert line or not needed(name, victim), "it was read all the same"
        assert title != "zip: bomb" or "times" in line
    else:
        assert line is None or "traversal" in title or "link" in title
    assert "root:" not in (line or "")
    assert sorted(Path("/tmp").glob("*evil*")) == before


def test_most_builders_read_archives() -> None:
    assert len([name for name in READY if reads_archives(name)]) >= 20


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_too_many_members_are_refused(attack: Any, monkeypatch: pytest.MonkeyPatch, pack: Any) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    line = attack("med_ita", lambda root: pack(lambda *_: None)("", root))
    assert line is None
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    line = attack("med_ita", lambda root: pack(lambda *_: None)("", root))
    assert line
    assert "members" in line


@pytest.mark.parametrize("behind", [False, True])
def test_a_bomb_in_a_tar_that_nobody_asked_for_is_refused(attack: Any, behind: bool) -> None:
    """As a member, or as a tail of zeros behind the end."""

    def damage(root: Path) -> None:
        import gzip

        tarred(lambda *_: None if behind else tar_member("zeros", BOMB)(*_))("", root)
        path = root / "corpus.tar.gz"
        if behind:
            path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + BOMB, 1))

    line = attack("synthetic_crf", damage)
    assert line
    assert "times" in line


def test_a_pattern_that_matches_too_much_is_refused(attack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_FOUND_BYTES", 1000)
    line = attack("abstrct", lambda root: None)
    assert line
    assert "matches more than 1,000 bytes" in line


# ----- XML -----------------------------------------------------------------------------------------------------------

ENTITIES = {
    "billion laughs": '<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)),
    "quadratic": f'<!ENTITY a "{"a" * 100_000}">',
    "file": '<!ENTITY a SYSTEM "file:///etc/passwd">',
    "network": '<!ENTITY a SYSTEM "http://127.0.0.1:9/x">',
    "parameter entity": '<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p; <!ENTITY a "b">',
}


@pytest.mark.parametrize("use", ["", "&a;", "&a;" * 10_000])
@pytest.mark.parametrize("title", ENTITIES)
@pytest.mark.parametrize("name", [name for name in READY if kinds(name) & {".xml", ".tmx"}])
def test_hostile_xml_is_refused(attack: Any, name: str, title: str, use: str) -> None:
    def change(content: bytes) -> bytes:
        text = content.decode("utf-8-sig")
        root = re.search(r"<([A-Za-z][\w:.-]*)[ >]", text)
        assert root
        declared = f"<!DOCTYPE {root[1]} [{ENTITIES[title]}]>"
        end = text.rindex("</")
        return (text[: root.start()] + declared + text[root.start() : end] + use + text[end:]).encode()

    for path in victims(name, (".xml", ".tmx")):
        line = attack(name, changed(path, change))
        assert line
        assert Path(path).name in line
        assert "root:" not in line


# ----- one line of 100 MB --------------------------------------------------------------------------------------------

LONG = 100 * 2**20
LONG_LINES: dict[str, tuple[str, tuple[str, ...], bytes]] = {
    "JSON Lines, letters": ("med_ita", JSON, b"a" * LONG),
    "JSON Lines, one text": ("med_ita", JSON, b'{"question": "' + b"a" * LONG + b'"}'),
    "JSON, lists": ("imb_mcqa", JSON, b"[" * LONG),
    "JSON collection": ("e3c", (".json",), b'{"text": "' + b"a" * LONG + b'"}'),
    "XML attribute": ("e3c", (".xml",), b'<a b="' + b"a" * LONG + b'"/>'),
    "XML nesting": ("e3c", (".xml",), b"<a>" * (LONG // 3)),
    "IOB": ("abstrct", (".tsv",), b"a" * LONG),
    "IOB, white space": ("casimedicos_arg", (".tsv",), b"\t" * LONG),
    "brat": ("multiclinner", (".ann",), b"T1" * (LONG // 2)),
    "CSV": ("mmmed", (".csv",), b'"' + b"a" * LONG),
    "PubTator": ("clinkart", (".txt",), b"1|x|" + b"a" * LONG),
    "Parquet": ("synthetic_crf", (".parquet",), b"PAR1" + b"a" * LONG),
}


@pytest.mark.parametrize("title", LONG_LINES)
def test_a_line_of_100_mb_is_refused(attack: Any, title: str) -> None:
    """Quickly, and in a message of one screen."""
    name, suffixes, content = LONG_LINES[title]
    path = victims(name, suffixes)[0]
    line = attack(name, changed(path, lambda _: content))
    assert line
    assert Path(path).stem in line
