"""Chromium signs in: from Submit to the provider and back to a token, with nothing left in the browser."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine

from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import accounts
from ita_med.leaderboard.web.settings import Settings

from ..postgres import free_port
from ..provider import Idp
from ..serving import chromium, needs_chromium, serving

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [pytest.mark.slow, needs_chromium]


def test_a_person_signs_in_and_the_browser_keeps_nothing(engine: Engine, idp: Idp) -> None:
    port = free_port()
    idp.board = f"http://127.0.0.1:{port}"
    app = make_app(engine, "embedded", Settings(check_processes=0, shell=False, sign_in=idp.sign_in))
    with serving(app, port=port) as url, chromium() as browser:
        context = browser.new_context(base_url=url, locale="it-IT")
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.goto("/it/submit")
        page.get_by_role("link", name="Accedi con Ospedale").click()
        token = page.locator("#token").inner_text()
        assert re.fullmatch(accounts.TOKEN, token)
        assert page.get_by_role("link", name="English").get_attribute("href") == "/en/submit"
        assert not context.cookies()
        assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]
        assert not wrong
        assert page.reload().status == 400
        assert token not in page.content()
        idp.consent = False
        page.goto("/en/submit")
        page.get_by_role("link", name="Sign in with GitHub").click()
        assert "was not allowed" in page.get_by_role("alert").inner_text()
        assert not context.cookies()
        context.close()
    with engine.begin() as connection:
        assert accounts.authenticate(connection, token) is not None
