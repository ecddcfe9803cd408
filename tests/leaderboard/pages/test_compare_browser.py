"""Chromium on the Compare, Figures and Submit pages of a real board."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import accounts, store
from ita_med.leaderboard.pages.site import WORDS
from ita_med.leaderboard.publish.static_site import write
from ita_med.leaderboard.web.settings import Settings

from ..conftest import TASKS, Files, change_manifest, zipped
from ..serving import chromium, needs_chromium, serving

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
if not find_spec("gradio"):  # without importing it, which takes seconds
    pytest.skip("gradio is not installed", allow_module_level=True)
pytestmark = [
    pytest.mark.slow,
    needs_chromium,
]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, demo_board: bytes) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("browser") / "board.sqlite"
    path.write_bytes(demo_board)
    opened = store.connect(path)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def token(board: Engine) -> str:
    with store.writing(board) as connection:
        return accounts.issue_token(connection, accounts.add_user(connection, "giulia.rossi"))


@pytest.fixture(scope="module")
def url(board: Engine) -> Iterator[str]:
    loose = Settings(check_processes=0, user_per_minute=1000, address_per_minute=1000, quota=2)
    with serving(make_app(board, "embedded", loose)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    """A page that fails its test by an error in the console, or a request to anywhere else."""
    context = browser.new_context(locale="it-IT", base_url=url)
    opened = context.new_page()
    found: list[str] = []
    opened.on("pageerror", lambda error: found.append(str(error)))
    opened.on(
        "console",
        lambda m: found.append(m.text) if m.type == "error" and "the server responded with" not in m.text else None,
    )
    opened.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else found.append(r.url))
    yield opened
    assert not found
    assert not context.cookies()
    context.close()


def test_systems_are_compared_and_the_address_keeps_it(page: Any) -> None:
    page.goto("/it/compare")
    page.get_by_label("Sistema 1 (riferimento)").select_option("4")
    page.get_by_label("Sistema 2").select_option("7")
    page.get_by_role("button", name="Confronta", exact=True).click()
    page.wait_for_url("**systems=4&systems=7*")
    assert page.locator("#pairs ~ .scroll table tbody tr").count() == 3
    assert page.locator("figure svg").count() >= 3
    page.locator("select[name=task]").select_option(TASKS[0])
    page.get_by_role("button", name="Mostra i documenti").click()
    page.locator("#documents").wait_for()
    first = page.locator("#documents tbody tr").first.inner_text()
    page.get_by_role("link", name="English").click()
    page.get_by_role("heading", name="By document").wait_for()
    assert page.locator("#documents tbody tr").first.inner_text() == first.replace(",", ".")
    page.go_back()
    page.get_by_role("heading", name="Per documento").wait_for()


def test_systems_chosen_in_the_ranking_are_compared(page: Any) -> None:
    page.goto("/it/")
    for number in (4, 7):
        page.locator(f'table.ranked input[value="{number}"]').check()
    page.get_by_role("link", name="Confronta i sistemi scelti").click()
    page.wait_for_url("**/it/compare?systems=4,7")
    assert page.locator("#pairs").is_visible()


def test_a_figure_becomes_interactive_when_asked(page: Any) -> None:
    page.goto("/it/figures")
    assert page.locator("figure svg[role=img]").count() >= 3
    page.get_by_role("button", name="Figura interattiva").first.click()
    page.locator("#figure-ranks .js-plotly-plot").wait_for(timeout=30_000)
    assert page.locator("#figure-ranks svg[role=img]").count() == 0
    page.locator("#figure-ranks summary").click()
    assert page.locator("#figure-ranks table").is_visible()


def choose(page: Any, content: bytes, token: str, name: str = "run.zip") -> None:
    page.get_by_label("Token").fill(token)
    page.locator("#files").set_input_files({"name": name, "mimeType": "application/zip", "buffer": content})


def outcome(page: Any, text: str) -> None:
    page.locator("#outcome", has_text=text.partition("{")[0]).wait_for()


def test_a_run_is_checked_submitted_and_recognised(page: Any, files: Files, token: str) -> None:
    words = WORDS["it"]
    page.goto("/it/submit")
    choose(page, zipped(files), token)
    page.get_by_role("button", name="Controlla soltanto").click()
    outcome(page, words["would_accept"])
    assert page.locator("#scores-of-run tbody tr").count() == len(TASKS)
    page.get_by_role("button", name="Invia", exact=True).click()
    outcome(page, words["accepted"])
    outcome(page, "invio 1 di 1")
    number = page.locator("#outcome a").inner_text()
    page.get_by_role("button", name="Invia", exact=True).click()
    outcome(page, words["duplicate"])
    assert page.locator("#outcome a").inner_text() == number, "the duplicate links to the first"
    page.locator("#outcome a").click()
    page.wait_for_url(f"**/it/model?id={number.strip('#')}")
    page.go_back()
    page.locator("#token").wait_for()
    assert page.locator("#token").input_value() == ""
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage, location.href])").find("itamed_") < 0


def test_each_problem_is_told_line_by_line_and_costs_nothing(
    page: Any, files: Files, token: str, board: Engine
) -> None:
    name = f"predictions/{TASKS[0]}.jsonl"
    lines = files[name].splitlines()
    bad = files | {name: b"\n".join([b"{", b'{"id": "<img src=x onerror=alert(1)>", "raw": ""}', *lines[2:]])}
    page.goto("/en/submit")
    choose(page, zipped(bad), token)
    for button in ("Submit", "Check only", "Submit"):
        page.get_by_role("button", name=button, exact=True).click()
        outcome(page, WORDS["en"]["refused"])
    told = page.locator("#problems li").all_inner_texts()
    assert len(told) == 3
    assert f"{TASKS[0]}, line 1 is not JSON" in told[0]
    assert 'line 2: "<img src=x onerror=alert(1)>" is no evaluated document' in told[1]
    assert "2 of " in told[2]
    assert "missing" in told[2]
    assert page.evaluate("document.activeElement.id") == "outcome", "a screen reader starts where the answer is"
    choose(page, zipped(change_manifest(files, revision="after-the-refused")), token)
    page.get_by_role("button", name="Submit", exact=True).click()
    outcome(page, WORDS["en"]["accepted"])
    choose(page, zipped(change_manifest(files, revision="beyond-the-quota")), token)
    page.get_by_role("button", name="Submit", exact=True).click()
    outcome(page, WORDS["en"]["limit"])


def test_loose_files_are_a_submission_too(page: Any, files: Files, token: str) -> None:
    page.goto("/it/submit")
    page.get_by_label("Token").fill(token)
    loose = [
        {"name": path.rpartition("/")[2], "mimeType": "text/plain", "buffer": content}
        for path, content in files.items()
    ]
    page.locator("#files").set_input_files(loose)
    page.get_by_role("button", name="Controlla soltanto").click()
    outcome(page, WORDS["it"]["would_accept"])


def test_a_folder_is_a_submission_too(page: Any, run_folder: Path, token: str) -> None:
    page.goto("/it/submit")
    page.get_by_label("Token").fill(token)
    page.locator("#folder").set_input_files(run_folder)
    page.get_by_role("button", name="Controlla soltanto").click()
    outcome(page, WORDS["it"]["would_accept"])


def test_a_wrong_token_a_missing_one_and_no_file(page: Any, files: Files) -> None:
    words = WORDS["it"]
    page.goto("/it/submit")
    page.get_by_role("button", name="Invia", exact=True).click()
    outcome(page, words["no_token"])
    page.get_by_label("Token").fill("itamed_wrong")
    page.get_by_role("button", name="Invia", exact=True).click()
    outcome(page, words["no_file"])
    choose(page, zipped(files), "itamed_wrong")
    page.get_by_role("button", name="Invia", exact=True).click()
    outcome(page, words["wrong_token"])


def test_a_model_is_put_into_the_queue(page: Any, token: str) -> None:
    page.goto("/it/submit")
    page.get_by_label("Token").fill(token)
    for model, text in (("../x", "ORG/NAME"), ("org/model", "Aggiunto alla coda"), ("org/model", "Già in coda")):
        page.get_by_label("Modello dell'Hub").fill(model)
        page.get_by_role("button", name="Aggiungi alla coda").click()
        page.locator("#ask-outcome", has_text=text).wait_for()


def test_pages_fit_a_phone(browser: Any, url: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, base_url=url)
    page = context.new_page()
    for path in ("/it/compare?systems=4,5,7&task=ita_med_ner_e3c_disorder", "/en/figures", "/it/submit"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
    context.close()


def test_the_exported_site_works_without_scripts_from_files(browser: Any, board: Engine, tmp_path: Path) -> None:
    write(board, tmp_path, synthetic=True)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{tmp_path}/index.html")
    page.get_by_role("link", name="Italiano").click()
    page.get_by_role("link", name="demo/nearly-all").first.click()
    assert page.get_by_role("heading", level=1).is_visible()
    page.get_by_role("link", name="English").click()
    page.get_by_role("link", name="Figures").first.click()
    assert page.locator("figure svg").count() >= 3
    assert all(address.startswith("file://") for address in asked)
    context.close()
