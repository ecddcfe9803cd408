"""The exported site: whole, linked, without server and script."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from lxml import etree, html
from sqlalchemy import Engine

from ita_med import catalogue
from ita_med.leaderboard.database import store
from ita_med.leaderboard.pages.site import REPOSITORY
from ita_med.leaderboard.publish import table_files
from ita_med.leaderboard.publish.static_site import file_name, write
from ita_med.leaderboard.results.ranking import Board
from ita_med.leaderboard.submissions.check import gold

from ..results.test_compare_documents import _strings


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, demo_board: bytes) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    (folder / "board.sqlite").write_bytes(demo_board)
    engine = store.connect(folder / "board.sqlite")
    written = write(engine, folder / "site", synthetic=True)
    written += table_files.write(Board(engine), folder / "site", synthetic=True)
    assert sorted(written) == sorted(p for p in (folder / "site").rglob("*") if p.is_file())
    engine.dispose()
    return folder / "site"


def pages(exported: Path) -> list[Path]:
    return [exported / "index.html", *exported.glob("it/*.html"), *exported.glob("en/*.html")]


def test_every_link_leads_to_a_file(exported: Path) -> None:
    ids = {path: {e.get("id") for e in html.parse(path).iter() if e.get("id")} for path in pages(exported)}
    for path in ids:
        for element in html.parse(path).iter():
            for address in (element.get("href"), element.get("src")) if isinstance(element.tag, str) else ():
                if not address or address.startswith((REPOSITORY, "mailto:", "https://")):
                    continue
                parts = urlsplit(address)
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                assert (parts.scheme, parts.query) == ("", ""), (path.name, address)
                assert target.is_file(), (path.name, address)
                assert not parts.fragment or parts.fragment in ids.get(target, {parts.fragment}), (path.name, address)


def test_every_page_is_reached_by_links(exported: Path) -> None:
    seen, waiting = set(), [exported / "index.html"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.suffix != ".html":
            continue
        seen.add(path)
        links = [urlsplit(a) for a in html.parse(path).xpath("//a/@href")]
        waiting += [(path.parent / unquote(link.path)).resolve() for link in links if link.path and not link.scheme]
    assert set(pages(exported)) <= seen


def test_no_page_needs_a_server_or_a_script(exported: Path) -> None:
    assert len(list(exported.glob("it/*.html"))) == len(list(exported.glob("en/*.html"))) > 10
    for path in pages(exported)[1:]:
        page = html.parse(path).getroot()
        assert page.get("lang") == path.parent.name
        assert not page.xpath("//form | //input | //button[@class='live']"), path.name
        assert not [s for s in page.xpath("//script") if not s.get("src", "").startswith("../static/")]
        assert len(page.xpath("//h1")) == 1
        assert "SINTETICO" in page.text_content().upper() or "SYNTHETIC" in page.text_content().upper()
    for drawn in exported.glob("figures/*.svg"):
        etree.parse(drawn)


def test_no_gold_answer_is_exported(exported: Path) -> None:
    """Long strings of the gold answers, and the texts, of all tasks over all files."""
    everything = "\n".join(p.read_text("utf-8") for p in exported.rglob("*") if p.suffix in (".html", ".svg"))
    for task in catalogue.tasks(ready=True):
        data = gold(task.id, "embedded")
        for example in data.examples:
            secrets = [s for s in _strings(data.gold(example)) if len(s) > 12]
            assert not [s for s in (*secrets, data.prompt(example)) if s in everything], task.id


def test_writing_again_removes_what_is_gone(exported: Path, tmp_path: Path, engine: Engine) -> None:
    for name in ("it/model-999.html", "figures/old-all.it.svg", "it/notes.txt", "own.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    write(engine, tmp_path, synthetic=True)
    left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")}
    assert {"it/notes.txt", "own.html"} <= left
    assert not {"it/model-999.html", "figures/old-all.it.svg"} & left
    assert not list(tmp_path.rglob(".*.html*"))


def test_names_of_files() -> None:
    assert file_name("ranking", {}) == file_name("ranking", {"part": "all", "q": "x"}) == "index.html"
    assert file_name("ranking", {"part": "id", "scale": "normalised"}) == "ranking-id-normalised.html"
    assert file_name("model", {"id": 3}) == "model-3.html"
    assert file_name("tasks", {"task": "ita_med_qa_imb"}) == "tasks-ita_med_qa_imb.html"
