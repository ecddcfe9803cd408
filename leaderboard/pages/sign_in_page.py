"""Signing in: /login/PROVIDER leads out, its callback shows the new token once. No cookie is left afterwards."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from ita_med.leaderboard.database import identities, store
from ita_med.leaderboard.pages.gradio_shell import PLAIN_POLICY
from ita_med.leaderboard.pages.site import LANGUAGES, Page, Site, document, fill, language_of
from ita_med.leaderboard.sign_in.oauth import LIFETIME, Login, begin, finish, trip_of
from ita_med.leaderboard.sign_in.provider_http import STATUS, Refused
from ita_med.leaderboard.sign_in.providers import Provider
from ita_med.leaderboard.web.responses import Problem
from ita_med.leaderboard.web.state import SharedState, spend, state_of

log = logging.getLogger(__name__)
Route = Callable[[Request], Awaitable[Response]]


def router(login: Login) -> APIRouter:
    """Two addresses for each provider; any other one is not there."""
    made = APIRouter(include_in_schema=False)
    for provider in login.settings.providers:
        made.add_api_route(f"/login/{provider.key}", _way_out(login, provider))
        made.add_api_route(f"/login/{provider.key}/callback", _way_back(login, provider))
    return made


def cookie_of(login: Login) -> tuple[str, dict[str, Any]]:
    """The cookie's name and attributes; a neighbouring site can set none whose name begins with __Host-."""
    name = "__Host-itamed-login" if login.settings.https else "itamed-login"
    return name, {"path": "/", "secure": login.settings.https, "httponly": True, "samesite": "lax"}


def _way_out(login: Login, provider: Provider) -> Route:
    async def show(request: Request) -> Response:
        language = request.query_params.get("language", "")
        if language not in LANGUAGES:
            language = language_of(request.headers.get("accept-language", ""))
        if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            # a foreign page must not make a reader sign in, since that ends the token of the sign-in before
            return RedirectResponse(f"/{language}/submit", 303, {"cache-control": "no-store"})
        try:
            _spend(request)
            address, cookie = await begin(login, provider, language)
        except Refused as error:
            return _failed(request, language, provider, error)
        answer = RedirectResponse(address, 303, {"cache-control": "no-store"})
        name, attributes = cookie_of(login)
        answer.set_cookie(name, cookie, max_age=LIFETIME, **attributes)
        return answer

    return show


def _way_back(login: Login, provider: Provider) -> Route:
    async def show(request: Request) -> Response:
        name, attributes = cookie_of(login)
        trip = trip_of(login, request.cookies.get(name, ""))
        language = trip.language if trip else language_of(request.headers.get("accept-language", ""))
        try:
            _spend(request)
            person = await finish(login, provider, trip, request.query_params)
            user, token = await run_in_threadpool(_account, state_of(request), person, provider)
            answer = _signed_in(request, login, language, provider, user.name, token)
        except Refused as error:
            answer = _failed(request, language, provider, error)
        answer.delete_cookie(name, **attributes)
        return answer

    return show


def _account(state: SharedState, person: identities.Person, provider: Provider) -> tuple[Any, str]:
    try:
        with store.writing(state.engine) as connection:
            return identities.sign_in(connection, person, provider.key, provider.name)
    except identities.Disabled as error:
        raise Refused("disabled", "the account is closed") from error


def _spend(request: Request) -> None:
    try:
        spend(state_of(request), request)
    except Problem as problem:
        raise Refused("limit", problem.detail) from problem


def _signed_in(request: Request, login: Login, language: str, provider: Provider, name: str, token: str) -> Response:
    site = Site(language, state_of(request).synthetic)
    content = fill(
        "login.html", site, why="", provider=provider.name, name=name, token=token, days=identities.TOKEN_DAYS,
        address=login.settings.url,
    )  # fmt: skip
    return _answer(site, content, 200)


def _failed(request: Request, language: str, provider: Provider, error: Refused) -> Response:
    if STATUS[error.why] >= 500:  # the provider's or our own doing; what people and attackers try is no news
        log.warning("no sign-in with %s: %s", provider.key, error)
    site = Site(language, state_of(request).synthetic)
    content = fill("login.html", site, provider=provider.name, why=error.why)
    return _answer(site, content, STATUS[error.why])


def _answer(site: Site, content: Any, status: int) -> Response:
    page = Page("submit", site.words["sign_in"], site.words["sign_in"], content, status=status)
    headers = {"content-security-policy": PLAIN_POLICY, "cache-control": "no-store"}
    if status == 429:
        headers["retry-after"] = "60"
    return Response(document(site, page), status, headers, "text/html; charset=utf-8")
