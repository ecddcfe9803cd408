"""Sign-in with a provider that is really asked, over loopback: the way there and back, and what attackers try on it.

Accounts are in test_identities.py, the configuration in test_providers.py.
"""

from __future__ import annotations

import base64
import gzip
import hmac
import json
import logging
import re
import threading
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import Engine, func, select

from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import tables
from ita_med.leaderboard.sign_in import oauth, provider_http
from ita_med.leaderboard.web.settings import Settings

from ..conftest import LOOSE, client_of
from ..provider import BOARD, CLIENT, SECRET, Idp, key, signed

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cheap_hashes")]
COOKIE = "__Host-itamed-login"
PROVIDERS = ["oidc", "github"]


def board(engine: Engine, idp: Idp, settings: Settings = LOOSE) -> TestClient:
    """A browser that reads a board with this provider."""
    app = make_app(engine, "embedded", replace(settings, sign_in=idp.sign_in))
    return TestClient(app, base_url=BOARD, raise_server_exceptions=False, follow_redirects=False)


def way_out(client: TestClient, provider: str = "oidc", **more: Any) -> str:
    """The provider's address to which the board sends a browser."""
    answer = client.get(f"/login/{provider}?language=en", **more)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def consent(address: str) -> str:
    """What the provider sends the browser back to."""
    return str(httpx.get(address).headers["location"])


def sign_in(client: TestClient, idp: Idp, provider: str = "oidc") -> Any:
    return client.get(consent(way_out(client, provider)))


def token_on(page: Any) -> str:
    found = re.findall(r"itamed_[0-9a-f]{12}_[\w-]{43}", page.text)
    assert len(found) == 1, page.text
    return str(found[0])


def changed(address: str, **values: str | None) -> str:
    """An address with other values in its query; None: without it."""
    parts = urlsplit(address)
    query = {name: value for name, value in (dict(parse_qsl(parts.query)) | values).items() if value is not None}
    return parts._replace(query=urlencode(query)).geturl()


def refused(page: Any, status: int, says: str, engine: Engine) -> None:
    """One sentence on a page of the board, no token, no account, no cookie left."""
    assert (page.status_code, says in page.text) == (status, True), page.text
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-store"
    assert "itamed_" not in page.text
    assert 'role="alert"' in page.text
    assert f'{COOKIE}=""; ' in page.headers["set-cookie"]
    assert "Max-Age=0" in page.headers["set-cookie"]
    with engine.begin() as connection:
        for table in (tables.users, tables.tokens, tables.identities):
            assert connection.scalar(select(func.count()).select_from(table)) == 0, table


STALE, UNTRUE, AWAY = "is over or began elsewhere", "could not be verified", "does not answer"


# --- the way there and back


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_way_there_and_back(engine: Engine, idp: Idp, provider: str) -> None:
    client = board(engine, idp)
    out = client.get(f"/login/{provider}?language=it")
    assert (out.status_code, out.headers["cache-control"]) == (303, "no-store")
    cookie = out.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"Secure", "HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/"} <= set(cookie.split("; "))
    assert "domain" not in cookie.lower()
    address = urlsplit(out.headers["location"])
    asked = dict(parse_qsl(address.query))
    assert f"{address.scheme}://{address.netloc}" == idp.url
    assert asked["redirect_uri"] == f"{BOARD}/login/{provider}/callback"
    assert asked.get("scope") == ("openid profile" if provider == "oidc" else None)
    assert min(len(asked[name]) for name in ("state", "code_challenge")) >= 43
    for secret in (asked["state"], asked.get("nonce", asked["state"]), asked["code_challenge"]):
        assert secret not in cookie
    page = client.get(consent(out.headers["location"]))
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert page.headers["referrer-policy"] == "no-referrer"
    assert '<html lang="it">' in page.text
    assert "export ITA_MED_TOKEN=" in page.text
    assert "http" not in page.headers["content-security-policy"]
    token_on(page)
    assert not client.cookies
    assert client.post("/api/v1/check", content=b"").status_code == 401, "the browser itself is not signed in"


@pytest.mark.parametrize("methods", [("client_secret_basic", "client_secret_post"), ("client_secret_post",)])
def test_the_client_s_secret_goes_where_the_provider_wants_it(
    engine: Engine, idp: Idp, methods: tuple[str, ...]
) -> None:
    idp.methods = methods
    assert sign_in(board(engine, idp), idp).status_code == 200


def test_links_stand_on_submit_only_where_there_is_a_provider(engine: Engine, idp: Idp) -> None:
    client, plain = board(engine, idp), client_of(engine)
    for language, words in (("it", "Accedi con Ospedale"), ("en", "Sign in with GitHub")):
        page = client.get(f"/{language}/submit")
        assert words in page.text
        assert f'href="/login/oidc?language={language}"' in page.text
        without = plain.get(f"/{language}/submit").text
        assert not [text for text in ("/login/", "Without a token", "Per chi non ha ancora") if text in without]
    nothing = plain.get("/nowhere")
    for path in ("/login/oidc", "/login/github", "/login/huggingface", "/login/oidc/callback", "/login"):
        answer = plain.get(path)
        assert (answer.status_code, answer.text) == (404, nothing.text)
    assert client.get("/login/huggingface").status_code == client.get("/login/oidc/x").status_code == 404


def test_the_provider_is_asked_for_its_addresses_once_in_ten_minutes(
    engine: Engine, idp: Idp, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = board(engine, idp)
    for _ in range(3):
        way_out(client)
    assert len(idp.asked) == 1
    later = time.monotonic() + 601
    monkeypatch.setattr(oauth.time, "monotonic", lambda: later)
    way_out(client)
    assert len(idp.asked) == 2


# --- the state


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("state", [None, "", "x", "x" * 43, "ü\u202e", "<script>"])
def test_a_forged_or_missing_state_is_refused(engine: Engine, idp: Idp, provider: str, state: str | None) -> None:
    client = board(engine, idp)
    back = consent(way_out(client, provider))
    before = len(idp.asked)
    refused(client.get(changed(back, state=state)), 400, STALE, engine)
    assert len(idp.asked) == before, "the provider is not asked"


def test_a_state_comes_back_once(engine: Engine, idp: Idp) -> None:
    client = board(engine, idp)
    out = client.get("/login/oidc")
    cookie = {COOKIE: client.cookies[COOKIE]}
    first = consent(out.headers["location"])
    idp.consent = False
    again = consent(out.headers["location"])
    idp.consent = True
    third = consent(out.headers["location"])
    assert client.get(again, cookies=cookie).status_code == 403
    for back in (first, third, again):
        client.cookies.set(COOKIE, cookie[COOKIE], domain="board.example.org")
        refused(client.get(back), 400, STALE, engine)


def test_after_ten_minutes_a_state_is_too_old(engine: Engine, idp: Idp, monkeypatch: pytest.MonkeyPatch) -> None:
    client = board(engine, idp)
    back = consent(way_out(client))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 602)
    cookie = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    client.cookies.clear()  # a browser drops it by itself; this one does not
    refused(client.get(back, headers=cookie), 400, STALE, engine)


def test_another_browser_s_way_back_is_refused(engine: Engine, idp: Idp) -> None:
    """So nobody is signed in as somebody else by a link."""
    attacker = board(engine, idp)
    victim = TestClient(attacker.app, base_url=BOARD, follow_redirects=False)
    back = consent(way_out(attacker))
    refused(victim.get(back), 400, STALE, engine)
    way_out(victim)
    refused(victim.get(back), 400, STALE, engine)


@pytest.mark.parametrize("forged", ["", "x", "gAAAAAB" + "A" * 300, "ü" * 20, "a" * 5000])
def test_a_forged_cookie_is_refused(engine: Engine, idp: Idp, forged: str) -> None:
    client = board(engine, idp)
    back = consent(way_out(client))
    good = client.cookies[COOKIE]
    client.cookies.clear()
    for value in (forged, good[:-2] + ("AA" if good[-2:] != "AA" else "BB"), good[:50] + "A" + good[51:]):
        if value != good:
            answer = client.get(back, headers={"cookie": f"{COOKIE}={value}".encode("latin-1")})
            refused(answer, 400, STALE, engine)
    plain = {"provider": "oidc", "language": "en", "state": "s", "nonce": "n", "verifier": "v"}
    made = base64.urlsafe_b64encode(json.dumps(plain).encode()).decode()
    refused(client.get(changed(back, state="s"), headers={"cookie": f"{COOKIE}={made}"}), 400, STALE, engine)


def test_a_cookie_of_another_server_is_refused(engine: Engine, idp: Idp) -> None:
    one, two = board(engine, idp), board(engine, idp)
    back = consent(way_out(one))
    two.cookies = one.cookies
    refused(two.get(back), 400, STALE, engine)


def test_a_sign_in_begun_with_one_provider_does_not_end_with_another(engine: Engine, idp: Idp) -> None:
    client = board(engine, idp)
    back = consent(way_out(client, "oidc"))
    refused(client.get(back.replace("/oidc/", "/github/")), 400, STALE, engine)


def test_an_answer_in_another_issuer_s_name_is_refused(engine: Engine, idp: Idp) -> None:
    client = board(engine, idp)
    back = consent(way_out(client))
    refused(client.get(changed(back, iss="https://evil.example")), 502, UNTRUE, engine)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stolen_code_is_worth_nothing_in_another_sign_in(engine: Engine, idp: Idp, provider: str) -> None:
    """The attacker's own state and cookie, the victim's code: the verifier does not belong to it."""
    victim = board(engine, idp)
    attacker = TestClient(victim.app, base_url=BOARD, follow_redirects=False)
    stolen = dict(parse_qsl(urlsplit(consent(way_out(victim, provider))).query))["code"]
    mine = consent(way_out(attacker, provider))
    refused(attacker.get(changed(mine, code=stolen)), 502, UNTRUE, engine)
    assert stolen not in idp.codes, "it was asked for"


@pytest.mark.parametrize("code", [None, "", "x" * 3000, "wrong"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_code_that_is_none_is_refused(engine: Engine, idp: Idp, provider: str, code: str | None) -> None:
    client = board(engine, idp)
    back = consent(way_out(client, provider))
    refused(client.get(changed(back, code=code)), 502, UNTRUE, engine)
    assert any(one.startswith("POST") for one in idp.asked) == (code == "wrong"), "what is no code at all is not asked"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_the_person_refuses_is_said_in_our_words(engine: Engine, idp: Idp, provider: str) -> None:
    idp.consent = False
    client = board(engine, idp)
    page = sign_in(client, idp, provider)
    refused(page, 403, "was not allowed", engine)
    assert "<b>no" not in page.text
    back = changed(consent(way_out(client, provider)), error="server_error", error_description="<script>alert(1)")
    page = client.get(back)
    refused(page, 502, UNTRUE, engine)
    assert "alert(1)" not in page.text


# --- the id_token


def forged(claims: dict[str, Any], alg: str, secret: bytes = b"") -> str:
    """A token without a signature, or with one that anybody can make who knows the secret."""
    parts = [json.dumps(part).encode() for part in ({"alg": alg, "kid": "first"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    digest = hmac.digest(secret, text, "sha256") if secret else b""
    return f"{text.decode()}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def changed_later(claims: dict[str, Any]) -> str:
    head, _, signature = signed(claims | {"sub": "s-2"}).split(".")
    return f"{head}.{forged(claims, 'RS256').split('.')[1]}.{signature}"


def with_a_key_of_its_own(claims: dict[str, Any]) -> str:
    own = ECKey.generate_key("P-256", {"kid": "first"})
    return jwt.encode({"alg": "ES256", "kid": "first", "jwk": own.as_dict(private=False)}, claims, own)


@pytest.mark.parametrize(
    "make",
    [
        lambda claims: forged(claims, "none"),
        lambda claims: forged(claims, "None"),
        lambda claims: forged(claims, "RS256"),
        lambda claims: forged(claims, "HS256", key().as_pem(private=False)),  # what everybody knows as the secret
        lambda claims: forged(claims, "HS256", key().as_pem(private=False).strip()),
        lambda claims: forged(claims, "HS256", SECRET.encode()),
        changed_later,
        with_a_key_of_its_own,
        lambda claims: signed(claims, "other", key("other")),
        lambda claims: signed(claims, "first", key("other")),
        lambda claims: signed(claims, "later"),
        lambda claims: "",
        lambda claims: "a.b.c",
        lambda claims: None,
        lambda claims: {"sub": "s-1"},
        lambda claims: "x" * 100_000,
    ],
)
def test_an_id_token_that_the_provider_did_not_sign_is_refused(engine: Engine, idp: Idp, make: Any) -> None:
    idp.make = make
    refused(sign_in(board(engine, idp), idp), 502, UNTRUE, engine)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"nonce": None}, {"nonce": ""}, {"nonce": 0}, {"aud": "another"}, {"aud": None},
        {"aud": ["another", "third"]}, {"aud": [CLIENT, "another"]}, {"aud": [CLIENT, "another"], "azp": "another"},
        {"azp": "another"}, {"iss": "https://evil.example"}, {"iss": None}, {"exp": 1}, {"exp": None}, {"exp": "9"},
        {"iat": None}, {"iat": 1}, {"iat": 2**40}, {"iat": True}, {"nbf": 2**40}, {"sub": None}, {"sub": ""},
        {"sub": 7}, {"sub": "s" * 256}, {"sub": "s\u0000"}, {"sub": "è"}, {"sub": ["s-1"]},
    ],
)  # fmt: skip
def test_an_id_token_of_another_sign_in_time_or_client_is_refused(
    engine: Engine, idp: Idp, claims: dict[str, Any]
) -> None:
    idp.claims = claims
    refused(sign_in(board(engine, idp), idp), 502, UNTRUE, engine)


@pytest.mark.parametrize("claims", [{"aud": [CLIENT]}, {"aud": [CLIENT, "another"], "azp": CLIENT}, {"azp": CLIENT}])
def test_an_id_token_may_name_its_client_in_every_way_of_the_standard(
    engine: Engine, idp: Idp, claims: dict[str, Any]
) -> None:
    idp.claims = claims
    assert sign_in(board(engine, idp), idp).status_code == 200


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": "x"}, {"keys": [7]}, {"keys": [{"kty": "RSA"}]}])
def test_keys_that_are_none_verify_nothing(engine: Engine, idp: Idp, keys: Any) -> None:
    idp.faults["/keys"] = (200, {}, keys)
    refused(sign_in(board(engine, idp), idp), 502, UNTRUE, engine)


@pytest.mark.parametrize("user", [{}, {"id": "1"}, {"id": True}, {"id": 0}, {"id": None, "login": "x"}, {"id": 1.5}])
def test_a_github_user_without_a_number_is_refused(engine: Engine, idp: Idp, user: dict[str, Any]) -> None:
    idp.user = user
    refused(sign_in(board(engine, idp), idp, "github"), 502, UNTRUE, engine)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a" * 10_000, "\u202egiulia", "", None, 7, ["x"], {}])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_hostile_name_is_a_name_or_none(engine: Engine, idp: Idp, provider: str, name: Any) -> None:
    idp.claims, idp.user = {"preferred_username": name}, {"id": 1, "login": name}
    page = sign_in(board(engine, idp), idp, provider)
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    with engine.begin() as connection:
        (kept,) = connection.execute(select(tables.users.c.name)).scalars()
    assert re.fullmatch(r"script-alert-1-script|a{40}|giulia|user", kept)


# --- a provider that does what it should not


SLOW = {"/.well-known/openid-configuration": "oidc", "/token": "oidc", "/keys": "oidc"}
STEPS = SLOW | {"/login/oauth/access_token": "github", "/api/user": "github"}


@pytest.mark.parametrize("path", STEPS)
@pytest.mark.parametrize(
    ("fault", "status", "says"),
    [
        ((302, {"location": "http://127.0.0.1:9/elsewhere"}, {}), 502, UNTRUE),
        ((500, {}, b"Traceback: secret"), 503, AWAY),
        ((404, {}, b"secret"), 502, UNTRUE),
        ((200, {}, b"<html>secret</html>"), 502, UNTRUE),
        ((200, {}, b"[]"), 502, UNTRUE),
        ((200, {}, b'{"a":' * 50_000), 502, UNTRUE),
        ((200, {}, b"\xff\xfe"), 502, UNTRUE),
        ((200, {}, {}), 502, UNTRUE),
    ],
)
def test_an_answer_that_is_none_ends_the_sign_in(
    engine: Engine, idp: Idp, path: str, fault: Any, status: int, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    idp.faults[path] = fault
    client, provider = board(engine, idp), STEPS[path]
    if "openid" in path:
        page = client.get(f"/login/{provider}?language=en")
        assert (page.status_code, says in page.text) == (status, True), page.text
        assert "set-cookie" not in page.headers
    else:
        page = sign_in(client, idp, provider)
        refused(page, status, says, engine)
    for text in (page.text, caplog.text):
        assert "secret" not in text
        assert "Traceback" not in text


@pytest.mark.parametrize("path", STEPS)
def test_an_answer_is_read_to_a_megabyte_and_never_unpacked(engine: Engine, idp: Idp, path: str) -> None:
    shapes = [
        (lambda content: ({}, content + b" " * 900_000), 200),
        (lambda content: ({}, content + b" " * 2**20), 502),
        (lambda content: ({"content-encoding": "gzip"}, gzip.compress(content)), 502),
    ]
    for shape, status in shapes:
        client = board(engine, idp)
        idp.shaped[path] = shape
        out = client.get(f"/login/{STEPS[path]}")
        page = client.get(consent(out.headers["location"])) if out.status_code == 303 else out
        assert page.status_code == status


@pytest.mark.parametrize("path", SLOW)
@pytest.mark.parametrize("drip", [False, True])
def test_a_slow_provider_is_not_waited_for(
    engine: Engine, idp: Idp, path: str, drip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """drip: a byte now and then, so that no single wait is long."""
    monkeypatch.setattr(provider_http, "SECONDS", 0.4)
    heard = threading.Event()

    def slow(handler: Any) -> None:
        if drip:
            handler.send_response(200)
            handler.end_headers()
        for _ in range(100):
            if heard.wait(0.1):
                return
            if drip:
                handler.wfile.write(b" ")

    client = board(engine, idp)
    address = "/login/oidc?language=en" if "openid" in path else consent(way_out(client))
    idp.faults[path] = slow
    started = time.monotonic()
    page = client.get(address)
    heard.set()
    assert time.monotonic() - started < 8
    assert (page.status_code, AWAY in page.text) == (503, True), page.text


def test_a_provider_that_is_down_is_said(engine: Engine, idp: Idp) -> None:
    client = board(engine, replace(idp, url="http://127.0.0.1:9"))
    page = client.get("/login/oidc?language=it")
    assert (page.status_code, "Ospedale non risponde" in page.text) == (503, True)
    back = consent(way_out(board(engine, idp)))
    assert back.startswith(BOARD)


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"}, {"issuer": None}, {"authorization_endpoint": "http://evil.example/a"},
        {"token_endpoint": "http://169.254.169.254/"}, {"jwks_uri": "file:///etc/passwd"}, {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"}, {"token_endpoint": "https://[::1"}, {"token_endpoint": 7},
    ],
)  # fmt: skip
def test_addresses_of_a_provider_are_https(engine: Engine, idp: Idp, document: dict[str, Any]) -> None:
    idp.document = document
    page = board(engine, idp).get("/login/oidc?language=en")
    assert (page.status_code, UNTRUE in page.text) == (502, True)


# --- what a request may not decide


@pytest.mark.parametrize(
    "query",
    [
        "next=//evil.example", "redirect_uri=https://evil.example/", "language=//evil.example", "return_to=/\\evil",
        "provider=https://evil.example", "issuer=https://evil.example", "language=%0d%0aSet-Cookie:%20a=b",
    ],
)  # fmt: skip
def test_no_address_comes_from_a_request(engine: Engine, idp: Idp, query: str) -> None:
    client = board(engine, idp)
    for name in ("host", "x-forwarded-host", "forwarded", "origin", "referer", "x-forwarded-proto"):
        value = "for=x;host=evil.example" if name == "forwarded" else "evil.example"
        out = client.get(f"/login/oidc?{query}", headers={name: value})
        assert out.headers["location"].startswith(f"{idp.url}/authorize?")
        assert "evil" not in out.headers["location"] + str(out.headers.get_list("set-cookie"))
        assert len(out.headers.get_list("set-cookie")) == 1


def test_a_foreign_page_makes_nobody_sign_in(engine: Engine, idp: Idp) -> None:
    """It would end the token of the reader's last sign-in."""
    client = board(engine, idp)
    for site in ("cross-site", "same-site"):
        answer = client.get("/login/oidc?language=it", headers={"sec-fetch-site": site})
        assert (answer.status_code, answer.headers["location"]) == (303, "/it/submit")
        assert "set-cookie" not in answer.headers
    for site in ("same-origin", "none"):
        assert way_out(client, headers={"sec-fetch-site": site}).startswith(idp.url)


def test_other_methods_do_nothing(engine: Engine, idp: Idp) -> None:
    client = board(engine, idp)
    for path in ("/login/oidc", "/login/oidc/callback"):
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert client.request(method, path).status_code == 405


def test_sign_ins_are_limited_by_address(engine: Engine, idp: Idp) -> None:
    client = board(engine, idp, replace(LOOSE, address_per_minute=3))
    assert [client.get("/login/oidc").status_code for _ in range(2)] == [303, 303]
    refused(client.get("/login/oidc/callback"), 400, STALE, engine)
    for path in ("/login/oidc?language=en", "/login/oidc/callback"):
        page = client.get(path)
        assert (page.status_code, page.headers["retry-after"]) == (429, "60")
        assert "Too many sign-ins" in page.text


def test_no_log_and_no_public_answer_tells_who_signed_in_how(
    engine: Engine, idp: Idp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = board(engine, idp)
    idp.claims = {"sub": "very-own-subject"}
    token = token_on(sign_in(client, idp))
    idp.claims = {"sub": "very-own-subject", "aud": "another"}
    sign_in(client, idp)
    paths = ("it/", "en/submit", "en/queue", "en/about", "health", "metrics", "api/v1/ranking", "api/v1/openapi.json")
    said = caplog.text.replace("very-own-subject=", "") + " ".join(client.get(f"/{path}").text for path in paths)
    for secret in ("very-own-subject", SECRET, token.split("_")[2], "code_verifier", *idp.tokens):
        assert secret not in said
    assert "/login" not in client.get("/api/v1/openapi.json").text
    assert 'route="/login/oidc/callback"' in client.get("/metrics").text
