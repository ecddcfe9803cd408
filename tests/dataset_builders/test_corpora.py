"""The corpora: what becomes of upstream's files, and what bad ones get."""

from __future__ import annotations

import bz2
import importlib
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook

from ita_med import catalogue, sources
from ita_med.build_report import BuildReport
from ita_med.dataset_builders import build
from ita_med.dataset_builders.datasets import cp_data
from ita_med.dataset_builders.datasets.medical_wikipedia.categories import categories, is_medical
from ita_med.dataset_builders.datasets.medical_wikipedia.wikitext import plain_text
from ita_med.errors import DataError, SourceError
from ita_med.schema import TextExample

from .damage import Damage, expect_one_line, swap

Command = Callable[..., Any]

CORPORA = [
    "aifa_rcp", "biobert_italian", "cp_data", "dart", "ecdc", "emea", "fake_clinical_records", "medical_wikipedia",
    "multilingual_medical_corpus", "psycology_dataset", "qa_mediche", "synth_emerg",
]  # fmt: skip
WIKI = "itwiki-sample-pages-articles.xml.bz2"
TMX = "ECDC-TM/ECDC.tmx"
XLSX = "FINAL_UPDATED_XLSX.xlsx"
CSV = "DART/DART.csv"
SHEET_1 = "synth_emerg_ITA/data/scheda_0001.txt"
JSONL = "psycology-dataset-ita/psycology-dataset-gpt-ita.jsonl"
DIALOGUES = "qa_mediche_test/data/train-00000-of-00001.parquet"
ABSTRACTS = "BioBERT_Italian/data/train-00001-of-00002.parquet"
CHUNKS = "adapt-sllm-italian-medical-tasks-CP-data/clinical/train-00000-of-00001.parquet"


def copied(name: str, root: Path, damage: Damage | None = None) -> Path:
    """A mirror with the dataset's sample, damaged if asked."""
    folder = Path(shutil.copytree(build.folder(name) / "sample", root / "mirror" / name))
    if damage:
        damage(folder)
    return root / "mirror"


def read(name: str, mirror: str | Path = "embedded") -> tuple[dict[str, TextExample], BuildReport]:
    report = BuildReport()
    files = build.open_files(name, str(mirror))
    groups = [group for _, _, group in build.examples(name, files=files, report=report)]
    documents = [document for group in groups for document in group if isinstance(document, TextExample)]
    return {document.id: document for document in documents}, report


@pytest.mark.parametrize("name", CORPORA)
def test_every_text_says_where_it_comes_from(name: str) -> None:
    documents, report = read(name)
    assert documents
    for document in documents.values():
        assert document.text == document.text.strip() or name == "synth_emerg"
        assert document.source
        assert document.licence == catalogue.dataset(name).licence
        assert document.url.startswith("https://")
    licences = sum(n for kind, n in report.warnings.items() if kind.startswith("licence: "))
    assert licences == len(documents)
    (counts,) = report.splits.values()
    assert counts.annotations["words"] == sum(len(document.text.split()) for document in documents.values())


# ----- content -------------------------------------------------------------------------------------------------------


def test_rows_of_several_files_are_numbered_on() -> None:
    documents, report = read("biobert_italian")
    assert list(documents) == [f"{n:08}" for n in (0, 1, 2, 3, 4, 5, 6, 8)]
    assert report.splits["biobert_italian", "train"].dropped == {"empty_text": 1}
    assert report.warnings["repeated_text"] == 1
    assert documents["00000002"].text == documents["00000005"].text


def test_only_the_italian_files_are_read(tmp_path: Path) -> None:
    mirror = copied("multilingual_medical_corpus", tmp_path)
    data = mirror / "multilingual_medical_corpus" / "Multilingual-Medical-Corpus" / "data"
    pq.write_table(pa.table({"text": ["The fever is high."]}), data / "en-00000-of-00001.parquet")
    assert read("multilingual_medical_corpus", mirror)[0] == read("multilingual_medical_corpus")[0]


@pytest.mark.parametrize(
    ("name", "patterns"),
    [
        ("multilingual_medical_corpus", ("data/it-*",)),
        ("biobert_italian", ("data/train-*",)),
        ("dart", ("DART.csv",)),
    ],
)
def test_only_what_is_read_is_downloaded(name: str, patterns: tuple[str, ...]) -> None:
    (source,) = build.builder(name).SOURCES
    assert isinstance(source, sources.Hub)
    assert source.allow_patterns == patterns


def test_cp_data_keeps_upstreams_ids_beside_its_own() -> None:
    documents, _ = read("cp_data")
    assert [document.meta["id"] for document in documents.values()][:4] == ["nota_1", "nota_1", "nota_1", "nota_2"]


def test_cp_data_without_ids(tmp_path: Path) -> None:
    def drop(root: Path) -> None:
        pq.write_table(pq.read_table(root / CHUNKS).drop_columns(["id"]), root / CHUNKS)

    documents, _ = read("cp_data", copied("cp_data", tmp_path, drop))
    assert [d.text for d in documents.values()] == [d.text for d in read("cp_data")[0].values()]
    assert not any(document.meta for document in documents.values())


def test_cp_data_of_another_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = copied("cp_data", tmp_path)
    default = mirror / "cp_data" / CHUNKS.split("/")[0]
    default.rename(default.with_name("altri-dati"))
    monkeypatch.setenv("ITA_MED_CP_DATA_ID", "ospedale/altri-dati")
    try:
        importlib.reload(cp_data)
        assert (sources.Hub("ospedale/altri-dati", allow_patterns=("clinical/*",)),) == build.builder("cp_data").SOURCES
        documents, _ = read("cp_data", mirror)
        assert {document.source for document in documents.values()} == {"ospedale/altri-dati"}
        assert len(documents) == len(read("cp_data")[0]) == 8
    finally:
        monkeypatch.delenv("ITA_MED_CP_DATA_ID")
        importlib.reload(cp_data)


def test_dart_document_is_its_sections_with_their_headings() -> None:
    documents, report = read("dart")
    assert documents["00003"].text == (
        "04.1 Indicazioni terapeutiche\nDiabete mellito di tipo 2 in aggiunta alla dieta.\n\n"
        "04.2 Posologia e modo di somministrazione\nUna compressa due o tre volte al giorno ai pasti.\n\n"
        "04.3 Controindicazioni\nAcidosi metabolica acuta; eGFR < 30 ml/min.\n\n"
        "04.8 Effetti indesiderati\nNausea, diarrea, dolore addominale."
    )
    assert documents["00003"].meta == {
        "Nome Medicinale": "GLUCOSTAB 850 mg compresse", "Codice AIC": "900004041", "Classe": "A",
    }  # fmt: skip
    assert "500 mg\nfino a 4" in documents["00000"].text, "cells hold line breaks"
    assert '"vertigini"' in documents["00001"].text
    assert report.warnings["repeated_text"] == 1, "two names, one text"
    assert report.splits["dart", "train"].dropped == {"empty_text": 1}


def test_dart_cells_may_be_longer_than_pythons_usual_limit(tmp_path: Path) -> None:
    long = "parola " * 40_000
    mirror = copied("dart", tmp_path, swap(CSV, "Ipertensione arteriosa essenziale.", long))
    assert long.strip() in read("dart", mirror)[0]["00001"].text


def test_aifa_repairs_the_code_and_skips_what_was_not_found() -> None:
    documents, report = read("aifa_rcp")
    assert list(documents) == ["0002", "0003", "0004"]
    assert documents["0002"].meta["AIC"] == "091000101"
    assert documents["0002"].meta["Denominazione e Confezione"] == "OMEDOLCE*14CPS 20MG"
    assert documents["0002"].text == documents["0003"].text
    assert documents["0004"].text.endswith("Disidratazione, aritmie.")
    assert documents["0004"].text.count("\n\n") == 8
    assert report.warnings["repeated_text"] == 1
    assert report.splits["aifa_rcp", "train"].dropped == {"empty_text": 1}


def test_emea_ids_lead_to_the_english_line() -> None:
    documents, report = read("emea")
    english = (build.folder("emea") / "sample" / "EMEA.en-it.en").read_text("utf-8").split("\n")
    assert english[int(documents["line-0000010"].id.removeprefix("line-")) - 1] == "40 mg once daily"
    assert documents["line-0000010"].text == "40 mg una volta al giorno"
    assert "line-0000004" not in documents
    assert (len(documents), report.warnings["repeated_text"]) == (11, 1)


def test_emea_and_ecdc_are_read_from_the_archives_that_upstream_publishes(tmp_path: Path) -> None:
    for name, archive in (("emea", "en-it.txt.zip"), ("ecdc", "ECDC-TM.zip")):
        sample = build.folder(name) / "sample"
        folder = tmp_path / "mirror" / name
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / archive, "w", zipfile.ZIP_DEFLATED) as opened:
            for path in sample.rglob("*.*"):
                opened.write(path, path.relative_to(sample).as_posix())
        assert read(name, tmp_path / "mirror")[0] == read(name)[0]


def test_ecdc_takes_the_italian_side() -> None:
    documents, report = read("ecdc")
    assert list(documents) == [f"tu-{n:05}" for n in (0, 1, 2, 3, 5, 6, 7)]
    assert documents["tu-00005"].text == "Il morbillo si diffonde facilmente."
    assert documents["tu-00006"].text == "Le zecche possono trasmettere malattie & infezioni."
    assert documents["tu-00007"].text == "La vaccinazione protegge chi la fa e chi gli sta vicino."
    assert report.warnings["segment_without_italian"] == 1


def test_qa_mediche_joins_the_italian_turns() -> None:
    documents, report = read("qa_mediche")
    assert documents["00002"].text == (
        "Posso prendere ibuprofene con il warfarin?\n\nNo, aumenta il rischio di sanguinamento."
    )
    assert documents["00002"].meta == {"dialogue_id": 3, "file_name": "dialogues_part_1", "speakers": [0, 1]}
    assert documents["00002"].url == "https://example.org/dialogo/3"
    assert report.splits["qa_mediche", "train"].dropped == {"empty_text": 1}


def test_psycology_joins_question_and_answer() -> None:
    documents, _ = read("psycology_dataset")
    assert documents["00002"].text.startswith("Che differenza c'è tra tristezza e depressione?\n\nLa tristezza è")


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_synth_emerg_as_a_table(tmp_path: Path, suffix: str) -> None:
    def table(root: Path) -> None:
        data = root / "synth_emerg_ITA" / "data"
        rows = [{"text": path.read_text("utf-8")} for path in sorted(data.iterdir())]
        shutil.rmtree(data)
        data.mkdir()
        if suffix == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), data / "train.parquet")
        else:
            (data / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")

    found, _ = read("synth_emerg", copied("synth_emerg", tmp_path, table))
    assert [d.text for d in found.values()] == [d.text for d in read("synth_emerg")[0].values()]


# ----- Wikipedia -----------------------------------------------------------------------------------------------------


def test_wikipedia_selects_medical_articles() -> None:
    documents, report = read("medical_wikipedia")
    assert [document.meta["title"] for document in documents.values()] == [
        "Febbre del fieno", "Esemplarolo", "Segno di Prova",
    ]  # fmt: skip
    assert report.splits["medical_wikipedia", "train"].dropped == {
        "redirect": 1, "no_medical_category": 2, "empty_text": 1,
    }  # fmt: skip
    article = documents["11"]
    assert article.text == (
        "La febbre del fieno, o rinite allergica stagionale, è una infiammazione della mucosa del naso.\n\n"
        "Clinica\nStarnuti, prurito e lacrimazione compaiono in primavera.\nrinorrea acquosa\ncongestione nasale"
    )
    assert article.url == "https://it.wikipedia.org/wiki/Febbre_del_fieno"
    assert article.meta == {
        "title": "Febbre del fieno",
        "categories": ["Malattie allergiche", "Otorinolaringoiatria"],
        "dump": WIKI,
        "revision": "1100",
    }
    assert documents["15"].text == (
        "L'esemplarolo è un beta-bloccante usato contro l'ipertensione arteriosa & l'angina.\n\n"
        "Controindicazioni\nAsma bronchiale, bradicardia < 50 bpm."
    )


def test_wikipedia_dump_of_several_streams(tmp_path: Path) -> None:
    """Multistream dumps are bz2 files one after the other."""

    def restream(root: Path) -> None:
        content = bz2.decompress((root / WIKI).read_bytes())
        third = len(content) // 3
        parts = (content[:third], content[third : 2 * third], content[2 * third :])
        (root / WIKI).write_bytes(b"".join(map(bz2.compress, parts)))

    mirror = copied("medical_wikipedia", tmp_path, restream)
    assert read("medical_wikipedia", mirror)[0] == read("medical_wikipedia")[0]


@pytest.mark.parametrize(
    ("category", "medical"),
    [
        ("Malattie infettive", True),
        ("malattie del sistema nervoso", True),
        ("Procedure diagnostiche", True),
        ("Farmaci calcioantagonisti", True),
        ("Anestesiologia", True),
        ("Vene dell'addome", True),
        ("Veneto", False),
        ("Malattie delle piante", False),
        ("Anatomia animale", False),
        ("Organi a canne", False),
        ("Premi Nobel per la medicina", False),
        ("Medici italiani", False),
        ("Ossario", False),
    ],
)
def test_a_category_is_medical_by_its_name(category: str, medical: bool) -> None:
    assert is_medical(category) is medical


def test_categories_of_an_article() -> None:
    wikitext = "a [[categoria: Segni_clinici ]] [[Category:X|y]] [[:Categoria:Z]] [[Categoria:\nW]]"
    assert categories(wikitext) == ["Segni clinici", "X", "W"]


@pytest.mark.parametrize(
    ("wikitext", "plain"),
    [
        ("L'''aspirina'' è un '''farmaco'''.", "L'aspirina è un farmaco."),
        ("L{{'}}'''aspirina''' è un [[farmaco|medicinale]].", "L'aspirina è un medicinale."),
        ("''mai chiuso", "mai chiuso"),
        ("Testo<ref>nota</ref>'''b<ref>n</ref>'''<!-- no -->.<br />Altro&nbsp;testo", "Testob.Altro testo"),
        ("[[File:X.jpg|thumb|Una [[foto]]]]Testo [[en:Text]][[Immagine:y.png]]", "Testo"),
        ("== Solo titolo ==\n== Note ==\n<references/>\n== Cura ==\nRiposo.", "Cura\nRiposo."),
        ("<math>a^2</math> <gallery>X.jpg</gallery> fine", "fine"),
        ("{|\n| cella\n|}\nfine", "fine"),
        ("{{" * 3000, "{{" * 3000),
        ("", ""),
    ],
)
def test_wikitext_becomes_plain_text(wikitext: str, plain: str) -> None:
    assert plain_text(wikitext) == plain


# ----- bad input -----------------------------------------------------------------------------------------------------


def rewrite(path: str, change: Callable[[list[dict[str, Any]]], object]) -> Damage:
    """Change the rows of a Parquet file."""

    def damage(root: Path) -> None:
        rows = pq.read_table(root / path).to_pylist()
        change(rows)
        pq.write_table(pa.Table.from_pylist(rows), root / path)

    return damage


def rename(path: str, old: str, new: str) -> Damage:
    def damage(root: Path) -> None:
        table = pq.read_table(root / path)
        pq.write_table(table.rename_columns([new if name == old else name for name in table.column_names]), root / path)

    return damage


def write(path: str, content: bytes) -> Damage:
    return lambda root: (root / path).write_bytes(content)


def halve(path: str) -> Damage:
    return lambda root: (root / path).write_bytes((root / path).read_bytes()[: (root / path).stat().st_size // 2])


def sheet(change: Callable[[Any], object]) -> Damage:
    """Change the workbook."""

    def damage(root: Path) -> None:
        book = load_workbook(root / XLSX)
        change(book)
        book.save(root / XLSX)

    return damage


def dump(old: bytes, new: bytes) -> Damage:
    """Change the XML inside the dump."""

    def damage(root: Path) -> None:
        content = bz2.decompress((root / WIKI).read_bytes())
        assert old in content
        (root / WIKI).write_bytes(bz2.compress(content.replace(old, new, 1)))

    return damage


def other_table(path: str, content: bytes) -> Damage:
    def damage(root: Path) -> None:
        data = root / "synth_emerg_ITA" / "data"
        shutil.rmtree(data)
        data.mkdir()
        (data / path).write_bytes(content)

    return damage


LAUGHS = '<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BAD: dict[str, tuple[str, Damage, list[str]]] = {
    "abstracts: another column": (
        "biobert_italian", rename(ABSTRACTS, "text", "abstract"), [ABSTRACTS, "['abstract']", "['text']"],
    ),
    "abstracts: no Parquet": ("biobert_italian", write(ABSTRACTS, b"PAR1"), [ABSTRACTS, "no Parquet"]),
    "abstracts: cut": ("biobert_italian", halve(ABSTRACTS), [ABSTRACTS, "no Parquet"]),
    "abstracts: null": (
        "biobert_italian", rewrite(ABSTRACTS, lambda rows: rows[1].update(text=None)), [ABSTRACTS, "row 2", "text"],
    ),
    "chunks: another column": (
        "cp_data", rename(CHUNKS, "chunk", "note"), [CHUNKS, "['id', 'note']", "['chunk', 'id'] or ['chunk']"],
    ),
    "dialogues: another column": (
        "qa_mediche", rename(DIALOGUES, "dialogue_url", "url"), [DIALOGUES, "'url'", "'dialogue_url'"],
    ),
    "dialogues: list of turns": (
        "qa_mediche",
        rewrite(DIALOGUES, lambda rows: [row.update(dialogue_turns=[{"speaker": 1}]) for row in rows]),
        [DIALOGUES, "row 1", "list", "utterance_ita"],
    ),
    "dialogues: lists of other lengths": (
        "qa_mediche",
        rewrite(DIALOGUES, lambda rows: rows[1]["dialogue_turns"]["utterance_ita"].pop()),
        [DIALOGUES, "row 2", "one length"],
    ),
    "questions: another column": ("psycology_dataset", swap(JSONL, '"answer"', '"reply"'), ["line 1", "reply"]),
    "questions: no text": ("psycology_dataset", write(JSONL, b'{"text": 1}'), ["line 1", "text", "1"]),
    "questions: cut": ("psycology_dataset", halve(JSONL), [JSONL, "not JSON"]),
    "questions: Latin-1": ("psycology_dataset", write(JSONL, '{"text": "è"}'.encode("latin-1")), ["line 1", "UTF-8"]),
    "questions: NaN": ("psycology_dataset", write(JSONL, b'{"text": NaN}'), ["line 1", "NaN"]),
    "questions: nothing": ("psycology_dataset", write(JSONL, b"\n"), ["holds no rows", JSONL]),
    "sheets: another format": ("synth_emerg", other_table("a.json", b"{}"), ["data/a.json", ".parquet or .jsonl"]),
    "sheets: another column": ("synth_emerg", other_table("a.jsonl", b'{"tokens": []}'), ["line 1", "tokens"]),
    "sheets: Latin-1": ("synth_emerg", write(SHEET_1, "è".encode("latin-1")), [SHEET_1, "UTF-8"]),
    "dart: a section is missing": ("dart", swap(CSV, "04.8 Effetti", "Effetti"), [CSV, "04.8", "Nome Medicinale"]),
    "dart: another separator": ("dart", swap(CSV, "Nome Medicinale,", "Nome Medicinale;"), [CSV, "Nome Medicinale;"]),
    "dart: a row too short": ("dart", swap(CSV, "VUOTINA 10 mg capsule,", "VUOTINA 10 mg capsule"), [CSV, "7 cells"]),
    "dart: a quote that never ends": ("dart", swap(CSV, "PARACENTO", '"PARACENTO'), [CSV, "no CSV"]),
    "dart: Latin-1": ("dart", write(CSV, "Nome Medicinale,è\n".encode("latin-1")), [CSV, "UTF-8"]),
    "dart: NUL": ("dart", write(CSV, b""), [CSV, "columns []"]),
    "aifa: another sheet": ("aifa_rcp", sheet(lambda b: setattr(b.active, "title", "Foglio1")), [XLSX, "Foglio1"]),
    "aifa: columns in another order": (
        "aifa_rcp", sheet(lambda b: b.active.move_range("A1:A5", cols=20)), [XLSX, "columns", "Principio Attivo"],
    ),
    "aifa: a heading more": ("aifa_rcp", sheet(lambda b: b.active.cell(1, 20, "Note")), [XLSX, "'Note'"]),
    "aifa: no spreadsheet": ("aifa_rcp", write(XLSX, b"PK\x03\x04"), [XLSX, "no spreadsheet"]),
    "aifa: cut": ("aifa_rcp", halve(XLSX), [XLSX, "no spreadsheet"]),
    "emea: a line is missing": ("emea", swap("EMEA.en-it.it", "\n\n", "\n"), ["11 lines", "12", "aligned"]),
    "emea: Latin-1": (
        "emea",
        lambda root: _replace_all(root / "EMEA.en-it.it", "è".encode(), b"\xe8"),
        ["EMEA.en-it.it, line 2", "UTF-8"],
    ),
    "ecdc: cut": ("ecdc", halve(TMX), [TMX, "well-formed"]),
    "ecdc: another root": ("ecdc", write(TMX, b"<html><body/></html>"), [TMX, "html", "expected tmx"]),
    "ecdc: empty": ("ecdc", write(TMX, b""), [TMX, "well-formed"]),
    "ecdc: no segment": (
        "ecdc", swap(TMX, "<seg>Sintomi</seg>", "<text>Sintomi</text>"), [TMX, "tu 2", "no seg"],
    ),
    "ecdc: no Italian": ("ecdc", lambda root: _replace_all(root / TMX, b'"IT"', b'"EL"'), ["no examples"]),
    "ecdc: billion laughs": (
        "ecdc",
        lambda root: [
            swap(TMX, 'SYSTEM "tmx14.dtd"', f"[{LAUGHS}]")(root),
            swap(TMX, "Sintomi</seg>", "&l9;</seg>")(root),
        ],
        [TMX, "get it again"],
    ),
    "ecdc: an entity of its own": (
        "ecdc",
        lambda root: [
            swap(TMX, 'SYSTEM "tmx14.dtd"', '[<!ENTITY s "Sintomi">]')(root),
            swap(TMX, "Sintomi</seg>", "I &s;</seg>")(root),
        ],
        [TMX, "tu 2", "entity"],
    ),
    "wiki: cut": ("medical_wikipedia", halve(WIKI), [WIKI, "no whole dump"]),
    "wiki: no bz2": ("medical_wikipedia", write(WIKI, b"<mediawiki/>"), [WIKI, "no whole dump"]),
    "wiki: broken XML": ("medical_wikipedia", dump(b"</ns>", b"</sn>"), [WIKI, "no whole dump"]),
    "wiki: another root": ("medical_wikipedia", write(WIKI, bz2.compress(b"<rss/>")), [WIKI, "rss", "mediawiki"]),
    "wiki: a document type": (
        "medical_wikipedia",
        dump(b"<mediawiki ", f"<!DOCTYPE mediawiki [{LAUGHS}]><mediawiki ".encode()),
        [WIKI, "document type"],
    ),
    "wiki: a page twice": ("medical_wikipedia", dump(b"<id>17</id>", b"<id>15</id>"), ["id 15", "twice"]),
    "wiki: nothing medical": (
        "medical_wikipedia",
        write(WIKI, bz2.compress(b"<mediawiki><page><ns>0</ns></page></mediawiki>")),
        ["no examples", WIKI],
    ),
}  # fmt: skip


def _replace_all(path: Path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new))


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_that_names_file_and_record(tmp_path: Path, case: str) -> None:
    name, damage, named = BAD[case]
    expect_one_line(name, copied(name, tmp_path, damage), tmp_path / "out", named)


@pytest.mark.parametrize("name", CORPORA)
def test_the_same_mirror_unharmed_builds(tmp_path: Path, name: str) -> None:
    build.build(name, tmp_path / "out", str(copied(name, tmp_path)))


@pytest.mark.parametrize(
    ("name", "path"),
    [("emea", "EMEA.en-it.en"), ("emea", "EMEA.en-it.it"), ("medical_wikipedia", WIKI), ("dart", CSV), ("ecdc", TMX)],
)
def test_a_missing_file_is_named(tmp_path: Path, name: str, path: str) -> None:
    mirror = copied(name, tmp_path, lambda root: (root / path).unlink())
    with pytest.raises(SourceError, match=f"^{name}: .*{path.split('-')[0]}"):
        read(name, mirror)


def test_a_spreadsheet_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ita_med.dataset_builders.datasets import aifa_rcp

    monkeypatch.setattr(aifa_rcp, "MAX_FILE_BYTES", 1000)
    with pytest.raises(DataError, match=r"^aifa_rcp: FINAL_UPDATED_XLSX\.xlsx would unpack to more than 1,000 bytes"):
        read("aifa_rcp")


@pytest.mark.parametrize(("name", "package"), [("aifa_rcp", "openpyxl"), ("medical_wikipedia", "mwparserfromhell")])
def test_a_missing_package_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    out = tmp_path / "out"
    ran = command("data", "build", name, "--mirror", "embedded", "--out", out)
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert f"{name} needs more packages" in ran.err
    assert "pip install 'ita-med[corpora]'" in ran.err
    assert not out.exists()


def test_all_the_others_are_built_without_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    wanted = [catalogue.dataset(name) for name in ("med_ita", "aifa_rcp", "emea")]
    monkeypatch.setattr(catalogue, "datasets", lambda: wanted)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    ran = command("data", "build", "--all", "--mirror", "embedded", "--out", tmp_path, "--json")
    assert ran.code == 0
    assert list(json.loads(ran.out)) == ["med_ita", "emea"]
    assert "ita-med: not built: aifa_rcp needs more packages" in ran.err
