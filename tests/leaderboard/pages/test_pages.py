"""The pages as text: escaped, well-formed, labelled; what filters do and do not; what is not served."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html
from sqlalchemy import Engine
from starlette.datastructures import QueryParams

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.leaderboard import demo
from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import accounts, jobs, store
from ita_med.leaderboard.pages import filters, ranking_page
from ita_med.leaderboard.pages.site import FAMILY_NAMES, LANGUAGES, WORDS, Site, language_of
from ita_med.leaderboard.results.ranking import Board, Ranking
from ita_med.leaderboard.submissions.submission import Claim
from ita_med.leaderboard.web.settings import Settings
from ita_med.tasks.report import reference
from ita_med.version import BENCHMARK_VERSION

HOSTILE = "org/<img src=x onerror=alert(1)>\"'&amp;{{7*7}}"
OOD = next(task.id for task in catalogue.tasks(ready=True) if task.distribution == "ood")
ADDRESSES = (
    "", "?part=ood&tasks=ner&tasks=qa", "?scale=normalised", "model?id=4", "model?id=10", "tasks", f"tasks?task={OOD}",
    "queue", "method", "about", "figures", "compare", "submit",
)  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, demo_board: bytes) -> Iterator[Engine]:
    """The demo, one system whose every text is hostile and that is trained on an OOD task, one withdrawn, one job."""
    path = tmp_path_factory.mktemp("pages") / "board.sqlite"
    path.write_bytes(demo_board)
    opened = store.connect(path)
    with store.writing(opened) as connection:
        user = accounts.find_user(connection, demo.USER)
        claim = Claim(
            HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, True, "decoder", 1900.0, [OOD], tokens_per_second=55.0
        )
        demo._add(connection, user, demo.files(claim, "knn", 0.6), "reproduced")
        demo._add(connection, user, demo.files(Claim("org/gone", "4-shot"), "knn", 0.4), "re-scored")
        store.withdraw(connection, user.id, 11)
        jobs.enqueue(connection, user, "org/waiting")
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def client(engine: Engine) -> TestClient:
    return TestClient(make_app(engine, "embedded", Settings(check_processes=0, contact="<b>mail@example.org")))


@pytest.fixture(scope="module")
def view(engine: Engine) -> Ranking:
    return Board(engine).ranking(synthetic=True)


class Balance(HTMLParser):
    """Fails on a tag that is not closed, or closed out of order."""

    VOID = frozenset({"meta", "link", "input", "img", "br", "hr", "circle", "line", "path", "rect", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open, f"</{tag}> without a start"
            assert self.open.pop() == tag, f"</{tag}> out of order at {self.getpos()}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_is_well_formed_and_labelled(client: TestClient, language: str, address: str) -> None:
    answer = client.get(f"/{language}/{address}")
    assert answer.status_code == 200
    balance = Balance()
    balance.feed(answer.text)
    assert balance.open == []
    page = html.fromstring(answer.text)
    assert page.get("lang") == language
    assert len(page.xpath("//h1")) == len(page.xpath("//main")) == 1
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    for table in page.xpath("//table"):
        assert table.xpath("./caption"), "a table without a caption"
        assert all(cell.get("scope") for cell in table.xpath(".//th"))
    for field in page.xpath("//input[not(@type='hidden')] | //select | //textarea"):
        labelled = (
            field.get("aria-label")
            or field.xpath("ancestor::label")
            or page.xpath(f"//label[@for='{field.get('id')}']")
        )
        assert labelled, html.tostring(field)
    for button in page.xpath("//button"):
        assert button.get("aria-label") or button.text_content().strip()
    described = page.xpath("//@aria-labelledby | //@aria-controls | //@aria-describedby")
    assert {name for names in described for name in names.split()} <= set(ids)
    assert WORDS[language]["synthetic"] in page.text_content()


@pytest.mark.parametrize("address", ["", "model?id=10", "figures", "compare?systems=4,10", "tasks"])
def test_text_of_submitters_is_text(client: TestClient, address: str) -> None:
    answer = client.get(f"/en/{address}")
    page = html.fromstring(answer.text)
    assert not page.xpath("//img | //*[@onerror] | //*[@onclick] | //*[@onload]")
    assert "<img" not in answer.text
    if address in ("", "model?id=10", "compare?systems=4,10"):
        assert HOSTILE in page.text_content()


def test_no_page_names_another_host_but_in_links(client: TestClient) -> None:
    for address in ADDRESSES:
        page = html.fromstring(client.get(f"/it/{address}").text)
        loaded = page.xpath("//script/@src | //link[not(@rel='alternate')]/@href | //img/@src | //iframe/@src")
        assert loaded
        assert all(source.startswith("/") and not source.startswith("//") for source in loaded)


def test_answers_are_kept_small_and_safe(client: TestClient) -> None:
    answer = client.get("/it/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert answer.headers["content-encoding"] == "gzip"
    again = client.get("/it/", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/it/?q=zzz").headers["etag"] != answer.headers["etag"]
    assert not answer.cookies


def test_the_first_address_is_in_the_readers_language(client: TestClient) -> None:
    for accepted, language in (
        ("it-IT,it;q=0.9,en;q=0.8", "it"),
        ("de,en;q=0.7,it;q=0.3", "en"),
        ("de", "en"),
        ("", "en"),
    ):
        answer = client.get("/", headers={"accept-language": accepted}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, f"/{language}/")
        assert answer.headers["vary"] == "accept-language"
    assert client.get("/?part=id", follow_redirects=False).headers["location"] == "/en/?part=id"


@given(st.text(max_size=40))
def test_any_accept_language_gives_a_language(text: str) -> None:
    assert language_of(text) in LANGUAGES


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/upload", "gradio_api/file=/etc/passwd", "gradio_api/info", "gradio_api/queue/join", "config",
        "assets/../config", "assets/%2e%2e/config", "static/../../etc/passwd", "login", "nothing", "monitoring",
    ],
)  # fmt: skip
def test_gradios_own_routes_are_not_served(client: TestClient, path: str) -> None:
    for method in ("GET", "POST"):
        answer = client.request(method, f"/it/{path}", files={"files": b"x"} if method == "POST" else None)
        assert answer.status_code in (404, 405), (method, path)
    assert client.get("/static/..%2froutes.py").status_code == 404


def test_what_is_not_there_says_so(client: TestClient) -> None:
    for address, status in (
        ("model?id=999", 404),
        ("model?id=x", 404),
        ("tasks?task=<b>", 404),
        ("model?id=11", 410),
        ("x/y", 404),
    ):
        answer = client.get(f"/it/{address}")
        assert answer.status_code == status
        assert html.fromstring(answer.text).xpath("//h1")
        assert answer.headers["cache-control"] == "no-store"
    assert "org/gone" not in client.get("/it/model?id=11").text
    assert "org/gone" not in client.get("/it/").text


def test_the_model_page_shows_what_repeats_a_run(client: TestClient, engine: Engine) -> None:
    page = html.fromstring(client.get("/en/model?id=10").text)
    shown = page.xpath("//main")[0].text_content()
    with engine.begin() as connection:
        entry = next(e for e in store.entries(connection, synthetic=True) if e.id == 10)
    assert entry.predictions_sha256 in shown
    assert all(place in shown for place in entry.data.values())
    assert "reproduced" in shown
    assert len(page.xpath("//a[starts-with(@href, '/en/tasks?task=')]")) == len(catalogue.tasks())
    assert page.xpath("//*[contains(@class, 'mark') and contains(@class, 'bad')]")


def test_about_names_the_contact_as_text(client: TestClient) -> None:
    assert "&lt;b&gt;mail@example.org" in client.get("/it/about").text


def test_both_languages_say_the_same_things() -> None:
    assert WORDS["it"].keys() == WORDS["en"].keys()
    assert FAMILY_NAMES["it"].keys() == FAMILY_NAMES["en"].keys()
    for key, text in WORDS["it"].items():
        fields = [sorted(name for _, name, _, _ in Formatter().parse(t) if name) for t in (text, WORDS["en"][key])]
        assert fields[0] == fields[1], key
    folder = Path(ranking_page.__file__).parent / "prose"
    for name in ("method", "about"):
        heads = [[line[: line.index(" ")] for line in (folder / f"{name}.{language}.md").read_text().splitlines()
                  if line.startswith("#")] for language in LANGUAGES]  # fmt: skip
        assert heads[0] == heads[1]


# --- filters


def shown(view: Ranking, **query: Any) -> list[str]:
    chosen = filters.read(QueryParams(query))
    page = html.fromstring(ranking_page.results(Site("en", True), view, chosen, reference.load()))
    return page.xpath("//table[contains(@class, 'ranked')]//tbody//th/a/text()")


def test_filters_hide_rows_and_rank_nothing_anew(view: Ranking) -> None:
    everything = shown(view)
    assert everything[0] == "demo/nearly-all"
    assert shown(view, max_parameters="2000") == [
        m for m in everything if m not in ("demo/nearly-all", "demo/two-thirds")
    ]
    assert shown(view, min_parameters="2000", max_parameters="9000") == ["demo/two-thirds"]
    assert shown(view, q="HALF demo") == [m for m in everything if "half" in m]
    assert shown(view, trained_on="ood") == shown(view, provenance="reproduced") == [HOSTILE]
    assert HOSTILE not in shown(view, trained_on="none")
    assert shown(view, licence="-") == [m for m in everything if m != HOSTILE]
    assert shown(view, model_type="encoder") == []
    chosen = filters.read(QueryParams({"q": "one-quarter"}))
    page = html.fromstring(ranking_page.results(Site("en", True), view, chosen, reference.load()))
    row = next(row for row in view.rows if row.model == "demo/one-quarter")
    cells = page.xpath("//table[contains(@class, 'ranked')]//tbody/tr/td/@data-v")
    assert cells[:2] == [str(row.group), str(row.rank and row.rank[0])]


def test_floors_partial_and_published_rows_stand_apart(view: Ranking) -> None:
    page = html.fromstring(ranking_page.results(Site("en", True), view, filters.Filters(), reference.load()))
    assert page.xpath("//section[@aria-labelledby='floors']//tbody//th/a/text()") == ["knn", "majority", "random"]
    assert page.xpath("//section[@aria-labelledby='partial']//tbody//th/a/text()") == [demo.PARTIAL]
    published = page.xpath("//section[@aria-labelledby='published']")[0].text_content()
    assert "not re-run" in published
    assert len(reference.load().rows) == len(page.xpath("//section[@aria-labelledby='published']//tbody/tr"))


def test_numbers_are_written_as_readers_write_them() -> None:
    assert Site("it").number(-1234.56) == "−1.234,6"
    assert Site("en").number(1234.56) == "1,234.6"
    assert [Site("it").parameters(n) for n in (0, 135, 1700, 27000, 405_000)] == [
        "–",
        "135 M",
        "1,7 B",
        "27,0 B",
        "405 B",
    ]
    assert Site("it").number(None) == Site("it").number(float("nan")) == "–"


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from([*vars(filters.Filters()), "x"]), st.text(max_size=30)))
def test_any_address_is_read_and_written_alike(query: dict[str, str]) -> None:
    chosen = filters.read(QueryParams(query))
    pairs = [(k, one) for k, v in chosen.query().items() for one in ([v] if isinstance(v, str) else v)]
    assert filters.read(QueryParams(pairs)) == chosen
    assert chosen.version == BENCHMARK_VERSION or chosen.version[0].isdigit()


def test_the_demo_takes_runs_in_place_of_its_own_floors(tmp_path: Path, empty_board: bytes, run_folder: Path) -> None:
    (tmp_path / "board.sqlite").write_bytes(empty_board)
    opened = store.connect(tmp_path / "board.sqlite")
    with pytest.raises(ItaMedError, match="does not belong into a submission"):
        demo.seed(opened, [tmp_path])
    demo.seed(opened, [run_folder])
    with opened.begin() as connection:
        floors = [e for e in store.entries(connection, synthetic=True) if e.provenance == "floor"]
    every = len(catalogue.tasks())
    assert [(e.claim.model, len(e.scores)) for e in floors] == [("majority", 2), ("random", every), ("knn", every)]
    opened.dispose()
