"""Chromium on the Ranking and the pages around it: filters, sorting, deep links, languages, phone, dark mode."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from ita_med.leaderboard import demo
from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import accounts, store
from ita_med.leaderboard.pages import gradio_shell
from ita_med.leaderboard.submissions.submission import Claim
from ita_med.leaderboard.web.settings import Settings

from ..serving import chromium, needs_chromium, serving

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.slow,
    needs_chromium,
]
HOSTILE = "org/<img src=x onerror=document.title='taken'>"
PAGES = ("", "model?id=4", "tasks", "tasks?task=ita_med_ner_e3c_disorder", "queue", "method", "about")
RANKED = "table.ranked tbody tr"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, demo_board: bytes) -> Iterator[str]:
    """A real server over the demo and one system with a hostile name, its pages in Gradio's frame."""
    path = tmp_path_factory.mktemp("browser") / "board.sqlite"
    path.write_bytes(demo_board)
    engine = store.connect(path)
    with store.writing(engine) as connection:
        claim = Claim(HOSTILE, "4-shot", parameters=500.0, model_type="decoder", tokens_per_second=80.0)
        demo._add(connection, accounts.find_user(connection, demo.USER), demo.files(claim, "knn", 0.3), "reproduced")
    app = make_app(engine, "embedded", Settings(check_processes=0))
    with serving(app, gradio_shell.ready) as address:
        yield address
    engine.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


class Watched:
    """A page that keeps what went wrong: errors in the console, and requests to anywhere else."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.context = browser.new_context(base_url=url, **({"locale": "it-IT"} | options))
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("request", lambda r: None if r.url.startswith((url, "data:")) else self.wrong.append(r.url))

    def close(self) -> None:
        assert not self.wrong
        assert not self.context.cookies()
        self.context.close()


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    watched = Watched(browser, url)
    yield watched.page
    watched.close()


def names(page: Any) -> list[str]:
    return page.locator(f"{RANKED} th.name a").all_inner_texts()


def test_filters_change_rows_and_address_but_no_rank(page: Any) -> None:
    page.goto("/it/")
    ranks = dict(zip(names(page), page.locator(f"{RANKED} td:nth-child(3)").all_inner_texts(), strict=True))
    assert len(ranks) == 6
    page.get_by_text("Filtri e colonne").click()
    page.get_by_label("Parametri fino a").select_option("2000")
    playwright.expect(page.locator(RANKED)).to_have_count(4)
    assert page.url.endswith("/it/?max_parameters=2000")
    kept = dict(zip(names(page), page.locator(f"{RANKED} td:nth-child(3)").all_inner_texts(), strict=True))
    assert kept == {name: ranks[name] for name in kept}
    assert page.locator("#count").inner_text() == "5 sistemi su 7", "four ranked ones and the partial one"
    page.get_by_label("Cerca modello, utente, metodo").fill("half-again")
    playwright.expect(page.locator(RANKED)).to_have_count(1)
    assert "q=half-again" in page.url


def test_back_and_deep_links_keep_the_filters(page: Any) -> None:
    page.goto("/it/?part=ood&q=half")
    assert page.get_by_role("radio", name="Fuori distribuzione (OOD)").is_checked()
    assert page.get_by_label("Cerca modello, utente, metodo").input_value() == "half"
    assert all("half" in name for name in names(page))
    page.get_by_role("radio", name="In distribuzione (ID)").check()
    page.wait_for_url("**/it/?part=id&q=half")
    page.locator("table.ranked caption", has_text="In distribuzione").wait_for()
    page.go_back()
    page.locator("table.ranked caption", has_text="Fuori distribuzione").wait_for()
    assert page.get_by_role("radio", name="Fuori distribuzione (OOD)").is_checked()
    page.get_by_role("link", name="English").click()
    page.wait_for_url("**/en/?part=ood&q=half")
    assert page.get_by_role("heading", level=1).inner_text() == "Ranking"
    assert page.locator("html").get_attribute("lang") == "en"


def test_headings_sort_as_numbers_by_mouse_and_keyboard(page: Any) -> None:
    page.goto("/en/")
    button = page.locator("table.ranked button.sort", has_text="Params")
    button.click()
    head = page.locator("table.ranked th", has=page.locator("button.sort", has_text="Params"))
    assert head.get_attribute("aria-sort") == "descending"
    sizes = page.locator(f"{RANKED} td:nth-last-child(4)").all_inner_texts()
    assert sizes == ["27.0 B", "4.0 B", "1.7 B", "1.0 B", "500 M", "135 M"]
    button.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert page.locator(f"{RANKED} td:nth-last-child(4)").all_inner_texts() == sizes[::-1]
    page.get_by_label("Search model, user, method").fill("half")
    playwright.expect(page.locator(RANKED)).to_have_count(2)
    assert page.locator(f"{RANKED} td:nth-last-child(4)").all_inner_texts() == ["1.0 B", "1.7 B"], "the order is kept"


def test_task_columns_open_from_their_family(page: Any) -> None:
    page.goto("/it/")
    columns = page.locator("table.ranked thead th").count()
    page.locator("table.ranked").get_by_role("button", name="Mostra i compiti di Schede (CRF)").click()
    page.wait_for_url("**/it/?tasks=crf")
    page.locator("table.ranked").get_by_role("button", name="Nascondi i compiti di Schede (CRF)").wait_for()
    assert page.locator("table.ranked thead th").count() == columns + 3


def test_a_hostile_name_is_text_and_leads_to_its_model(page: Any) -> None:
    page.goto("/it/")
    page.get_by_role("link", name=HOSTILE).click()
    assert page.get_by_role("heading", level=1).inner_text().startswith(HOSTILE)
    assert page.title().startswith(HOSTILE)
    assert page.locator("main img").count() == 0
    assert page.locator("dl").get_by_text("500 M").is_visible()


def test_figures_come_when_they_are_reached(page: Any) -> None:
    page.set_viewport_size({"width": 1200, "height": 500})
    page.goto("/it/")
    assert page.locator("figure svg").count() == 0
    page.locator("[data-lazy]").scroll_into_view_if_needed()
    page.locator("figure svg").first.wait_for()
    page.locator("button.live").first.click()
    page.locator(".js-plotly-plot .main-svg").first.wait_for()


def test_every_page_in_a_phone_and_in_the_dark(browser: Any, url: str) -> None:
    phone = Watched(browser, url, viewport={"width": 390, "height": 800}, color_scheme="dark", has_touch=True)
    for language in ("it", "en"):
        for address in PAGES:
            phone.page.goto(f"/{language}/{address}")
            assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390, address
            assert phone.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 24, 27)"
    phone.page.get_by_role("button", name="Light or dark").click()
    assert phone.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    phone.page.goto("/it/")
    assert phone.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)", "it is kept"
    phone.close()


def test_paper_is_light_whole_and_without_controls(browser: Any, url: str) -> None:
    """Printed from a dark screen, at the width of A4 landscape within its margins."""
    watched = Watched(browser, url, color_scheme="dark", viewport={"width": 1046, "height": 720})
    page = watched.page
    for address in PAGES:
        page.goto(f"/it/{address}")
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 37, 41)", address
        assert not page.locator(".top nav, .filters").locator("visible=true").count(), address
        assert page.evaluate("document.documentElement.scrollWidth") <= 1046, address
        page.emulate_media(media="screen", color_scheme="dark")
    page.goto("/it/")
    page.emulate_media(media="print")
    name, small = page.evaluate(
        """() => [...document.querySelectorAll("tbody th.name, tbody th.name small")].slice(0, 2)
        .map(one => parseFloat(getComputedStyle(one).fontSize))"""
    )
    assert small < name, "what is under the name is smaller than it"
    watched.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_aa(browser: Any, url: str, scheme: str) -> None:
    watched = Watched(browser, url, color_scheme=scheme)
    watched.page.goto("/it/")
    texts, grounds = ("ink", "faint", "accent", "bad", "good"), ("page", "soft", "band")
    colours = watched.page.evaluate(
        """names => { const style = getComputedStyle(document.documentElement);
        return Object.fromEntries(names.map(name => [name, style.getPropertyValue("--" + name).trim()])) }""",
        [*texts, *grounds, "on-accent", "warn", "warn-ink"],
    )
    pairs = [(text, ground) for text in texts for ground in grounds]
    for text, ground in [*pairs, ("on-accent", "accent"), ("warn-ink", "warn")]:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    watched.close()


def contrast(a: str, b: str) -> float:
    """Ratio of two #rrggbb colours, by WCAG 2."""

    def light(colour: str) -> float:
        parts = [int(part, 16) / 255 for part in re.findall("..", colour[1:])]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, bright = sorted((light(a), light(b)))
    return (bright + 0.05) / (dark + 0.05)


def test_the_ranking_is_there_without_scripts(browser: Any, url: str) -> None:
    plain = Watched(browser, url, java_script_enabled=False)
    plain.page.goto("/it/?q=half")
    assert len(names(plain.page)) == 2
    plain.page.get_by_label("Cerca modello, utente, metodo").fill("quarter")
    plain.page.get_by_role("button", name="Applica").click()
    assert names(plain.page) == ["demo/one-quarter"]
    plain.close()


def test_the_keyboard_reaches_the_content_first(page: Any) -> None:
    page.goto("/it/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Vai al contenuto"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
