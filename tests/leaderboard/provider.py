"""A provider of sign-in on loopback: OpenID Connect with real signatures, and the part of GitHub that a board asks.

It checks what a good provider checks: client and secret, redirect address, one use of a code, PKCE.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from ita_med.leaderboard.sign_in.providers import Provider, SignIn

BOARD = "https://board.example.org"
CLIENT, SECRET = "board:one", "very secret+%"
Query = dict[str, str]


@cache
def key(kid: str = "first") -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


def signed(claims: dict[str, Any], kid: str = "first", by: RSAKey | None = None) -> str:
    return jwt.encode({"alg": "RS256", "kid": kid}, claims, by or key())


@dataclass
class Idp:
    """board: the address of the only board that is known here; claims: put into id_tokens over the right ones (None:
    left out); user: what GitHub's /user says; make: signs an id_token otherwise; document: put over the discovery
    document; faults: path -> (status, headers, body) or a call with the handler, instead of the work; shaped:
    path -> what is made of the right answer; asked: what came, as "METHOD path"."""

    url: str = ""
    board: str = BOARD
    claims: dict[str, Any] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=lambda: {"id": 4711, "login": "giulia", "email": "g@example.org"})
    make: Callable[[dict[str, Any]], str] | None = None
    document: dict[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = ("client_secret_basic",)
    consent: bool = True
    faults: dict[str, Any] = field(default_factory=dict)
    shaped: dict[str, Callable[[bytes], tuple[Query, bytes]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    codes: dict[str, Query] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    @property
    def sign_in(self) -> SignIn:
        """A board's configuration with this provider twice: as anybody's, and as a GitHub."""
        oidc = Provider("oidc", "Ospedale", CLIENT, SECRET, self.url)
        return SignIn(self.board, (oidc, Provider("github", "GitHub", CLIENT, SECRET, self.url, f"{self.url}/api")))

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "jwks_uri": f"{self.url}/keys",
            "token_endpoint": f"{self.url}/token", "token_endpoint_auth_methods_supported": list(self.methods),
        } | self.document  # fmt: skip

    def authorize(self, query: Query) -> str:
        """The address to which the person's browser is sent back."""
        assert (query["client_id"], query["response_type"]) == (CLIENT, "code")
        assert query["redirect_uri"] in [f"{self.board}/login/{name}/callback" for name in ("oidc", "github")]
        assert (query["code_challenge_method"], len(query["code_challenge"])) == ("S256", 43)
        if not self.consent:
            answer = {"error": "access_denied", "error_description": "<b>no</b>", "state": query["state"]}
        else:
            code = secrets.token_urlsafe(8)
            self.codes[code] = query
            answer = {"code": code, "state": query["state"], "iss": self.url}
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def exchange(self, form: Query, basic: str) -> dict[str, Any] | None:
        """A token for a code; None for whoever may not have one."""
        oidc = "nonce" in self.codes.get(form.get("code", ""), {})
        if bool(basic) != (oidc and "client_secret_basic" in self.methods):
            return None
        if basic:
            pair = base64.b64decode(basic.removeprefix("Basic ")).decode().partition(":")
            client, secret = unquote_plus(pair[0]), unquote_plus(pair[2])
        else:
            client, secret = form.get("client_id", ""), form.get("client_secret", "")
        given = self.codes.pop(form.get("code", ""), None)
        if given is None or (client, secret) != (CLIENT, SECRET):
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != given["code_challenge"]:
            return None
        if form.get("redirect_uri") != given["redirect_uri"] or form.get("grant_type") != "authorization_code":
            return None
        token = secrets.token_urlsafe(8)
        self.tokens.add(token)
        return {"access_token": token, "token_type": "Bearer", "id_token": self.id_token(given.get("nonce", ""))}

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        right = {
            "iss": self.url, "sub": "s-1", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce,
            "preferred_username": "giulia.rossi", "email": "giulia@example.org",
        }  # fmt: skip
        claims = {name: value for name, value in (right | self.claims).items() if value is not None}
        return self.make(claims) if self.make else signed(claims)

    def answer(self, method: str, path: str, query: Query, form: Query, head: Any) -> tuple[int, Query, Any]:
        match method, path:
            case "GET", "/.well-known/openid-configuration":
                return 200, {}, self.discovery()
            case "GET", "/keys":
                return 200, {}, {"keys": [key().as_dict(private=False), {"kty": "new", "kid": "later"}]}
            case "GET", "/authorize" | "/login/oauth/authorize":
                return 302, {"location": self.authorize(query)}, {}
            case "POST", "/token":
                found = self.exchange(form, head.get("authorization", ""))
                return (200, {}, found) if found else (400, {}, {"error": "invalid_grant"})
            case "POST", "/login/oauth/access_token":
                return 200, {}, self.exchange(form, "") or {"error": "bad_verification_code"}
            case "GET", "/api/user" if head.get("authorization", "")[7:] in self.tokens:
                return 200, {}, self.user
        return 404, {}, {}


@contextmanager
def serving_idp() -> Iterator[Idp]:
    idp = Idp()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            idp.asked.append(f"{self.command} {address.path}")
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            fault = idp.faults.get(address.path)
            if callable(fault):
                fault(self)
                return
            one = {name: values[0] for name, values in parse_qs(address.query).items()}
            form = {name: values[0] for name, values in parse_qs(body).items()}
            status, headers, said = fault or idp.answer(self.command, address.path, one, form, self.headers)
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            if address.path in idp.shaped:
                headers, content = idp.shaped[address.path](content)
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):  # the board has heard enough
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    idp.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield idp
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
