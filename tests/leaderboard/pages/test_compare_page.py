"""The Compare, Figures and Submit pages: their HTML, and what a browser does with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from lxml import html
from sqlalchemy import Engine
from starlette.datastructures import QueryParams

from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import store
from ita_med.leaderboard.pages import compare_page, figures_page, submit_page
from ita_med.leaderboard.pages.site import LANGUAGES, WORDS, Site, document
from ita_med.leaderboard.results.compare_documents import differences
from ita_med.leaderboard.results.compare_systems import compare as compared
from ita_med.leaderboard.results.ranking import Board, Ranking
from ita_med.leaderboard.web.settings import Settings


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, demo_board: bytes) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("compare") / "board.sqlite"
    path.write_bytes(demo_board)
    opened = store.connect(path)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def view(board: Engine) -> Ranking:
    return Board(board).ranking(synthetic=True)


def parsed(page: compare_page.Page, site: Site) -> html.HtmlElement:
    return html.document_fromstring(document(site, page))


# --- HTML


@pytest.mark.parametrize(
    ("query", "systems"),
    [
        ("systems=3,7", (3, 7)), ("systems=3&systems=&systems=7", (3, 7)), ("systems=7,7,x,3", (7, 3)), ("", ()),
        ("systems=1,2,3,4,5,6,7", (1, 2, 3, 4, 5, 6)), ("systems=%3Cscript%3E", ()), (f"systems={'9' * 400}", ()),
    ],
)  # fmt: skip
def test_what_an_address_asks_for(query: str, systems: tuple[int, ...]) -> None:
    assert compare_page.read(QueryParams(query)).systems == systems


def test_the_rest_of_an_address() -> None:
    found = compare_page.read(QueryParams("systems=4,5,7&task=ita_med_qa_med_ita&against=7&version=0.0"))
    assert found.query() == {"systems": "4,5,7", "task": "ita_med_qa_med_ita", "against": "7", "version": "0.0"}
    assert compare_page.read(QueryParams("systems=4,5&task=nix&against=x&version=<")).query() == {"systems": "4,5"}
    assert (found.pair, compare_page.read(QueryParams("systems=4,5&against=9")).pair) == ("4,7", "4,5")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_comparison_says_what_was_computed(board: Engine, view: Ranking, language: str) -> None:
    site = Site(language, synthetic=True)
    chosen = compare_page.read(QueryParams("systems=4,7&task=ita_med_ner_e3c_disorder"))
    with board.begin() as connection:
        found = compared(connection, [4, 7], synthetic=True)
        documents = differences(connection, [4, 7], chosen.task, "embedded", synthetic=True)
    page = parsed(compare_page.page(site, view.rows, chosen, found, documents), site)
    assert [o.get("value") for o in page.xpath("//select[@name='systems']/option[@selected]")] == ["4", "7"]
    text = " ".join(page.text_content().split())
    pair = found.pairs["all"][0]
    assert f"{pair.wins}–{pair.ties}–{pair.losses}" in text
    assert site.signed(pair.difference) in text
    assert site.interval((pair.low or 0, pair.high or 0)) in text
    outcomes = [e.get("class") for e in page.xpath("//span[@class='win' or @class='tie' or @class='loss']")]
    assert outcomes == [cell.outcome for own in compare_page.cells(found).values() for cell in own.values()]
    rows = page.xpath("//table[@id='documents']/tbody/tr")
    assert [row[0].text for row in rows] == [d.document for d in documents.documents]
    assert len(page.xpath("//figure//svg[@role='img']")) == 3
    assert len(page.xpath("//table[not(caption)]")) == len(page.xpath("//th[not(@scope)]")) == 0


def test_names_are_text(board: Engine, view: Ranking) -> None:
    bad = '"><script>alert(1)</script>'
    for row in view.rows:
        if row.id == 4:
            kept, row.model = row.model, bad
    with board.begin() as connection:
        found = compared(connection, [4, 7], synthetic=True)
    found.labels[0] = bad
    try:
        for made in (
            compare_page.page(Site("it"), view.rows, compare_page.ComparisonQuery((4, 7)), found),
            figures_page.page(Site("en"), view),
            compare_page.page(
                Site("it"), view.rows, compare_page.ComparisonQuery((4, 7)), compare_page.NotComparable(bad)
            ),
        ):
            page = html.fragment_fromstring(made.content, create_parent=True)
            assert not page.xpath(".//script")
            assert bad in page.text_content()
    finally:
        next(row for row in view.rows if row.id == 4).model = kept


def test_pages_without_a_comparison_and_with_one_refused(view: Ranking) -> None:
    site = Site("en")
    empty = parsed(compare_page.page(site, view.rows, compare_page.ComparisonQuery()), site)
    assert WORDS["en"]["compare_empty"] in empty.text_content()
    assert len(empty.xpath("//select[@name='systems']")) == 2
    refused = parsed(
        compare_page.page(
            site, view.rows, compare_page.ComparisonQuery((4, 999)), compare_page.NotComparable("no submission 999")
        ),
        site,
    )
    assert "no submission 999" in refused.xpath("//*[@role='alert']")[0].text_content()


def test_nothing_typed_can_be_sent_by_the_browser_alone() -> None:
    """A token in a form without scripts would end up in an address."""
    page = parsed(submit_page.page(Site("it"), Settings()), Site("it"))
    assert not page.xpath("//form")
    assert not page.xpath("//input[@name] | //button[not(@type='button')]")
    token = page.xpath("//input[@id='token']")[0]
    assert (token.get("type"), token.get("autocomplete")) == ("password", "off")
    assert page.xpath("//*[@id='outcome'][@aria-live='polite']")
    static = parsed(submit_page.page(Site("it", static=True), Settings()), Site("it"))
    assert not static.xpath("//input | //script[contains(@src, 'submit')]")


def test_figures_offer_plotly_on_the_server_only(view: Ranking) -> None:
    served = figures_page.page(Site("it"), view).content
    assert 'data-figure="/api/v1/figures/ranks?part=all&amp;scale=raw&amp;version=' in served
    assert "data-figure" not in figures_page.page(Site("it", static=True), view).content


def test_comparisons_cost_the_address(board: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a second; what is cached is free."""
    from ita_med.leaderboard.pages import gradio_shell, routes

    monkeypatch.setattr(routes.gradio_shell, "gradio", lambda: Plain(gradio_shell))
    client = TestClient(make_app(board, "embedded", Settings(check_processes=0, address_per_minute=2)))
    assert [client.get(f"/en/compare?systems=4,{n}").status_code for n in (5, 5, 999, 998)] == [200, 200, 200, 429]


class Plain:
    """Stands for Gradio, which takes seconds to import."""

    def __init__(self, shell: object) -> None:
        self.made = shell.Shell("", "", "", "default-src 'self'")  # type: ignore[attr-defined]

    def shell(self, language: str, name: str) -> object:
        return self.made
