"""Sign-in with a provider: its authorization code for a person, by OpenID Connect or GitHub's OAuth 2.

Authlib speaks the protocols: the way out with PKCE (RFC 7636), state and nonce, the exchange of the code, the checks of
an id_token. Our own is what it leaves to its user:

- What the way back needs to know travels in one encrypted cookie, for ten minutes; the key is this process's own.
  Authlib's integration would use Starlette's session, a cookie that is signed but can be read.
- A state comes back once, even from a browser that has kept the cookie.
- What a provider says of itself is held against the configuration, and its addresses are safe ones. Authlib's
  integration believes the document, and makes all of it arguments of the HTTP client.
- The way back names the right issuer (RFC 9207), and the id_token is of the last ten minutes.

Of what a provider says, issuer, subject and name are read.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from ita_med.errors import MissingPackage
from ita_med.leaderboard.database.identities import Person
from ita_med.leaderboard.sign_in.provider_http import Refused, client_class
from ita_med.leaderboard.sign_in.providers import Provider, SignIn, safe

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from cryptography.fernet import Fernet

LIFETIME = 600
"""Seconds from the way out to the way back."""
LEEWAY = 60
"""Seconds by which a provider's clock may differ."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Those whose key is public: a secret would be the client's too, and "none" is no signature."""
SUBJECT = re.compile(r"[ -~]{1,255}")


@dataclass(frozen=True)
class Trip:
    """One sign-in between the way out and the way back, as the cookie carries it."""

    provider: str
    language: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))


@dataclass(frozen=True)
class Endpoints:
    authorize: str
    token: str
    keys: str = ""
    issuer: str = ""
    basic: bool = False
    """Whether the client's secret goes into the head of a request."""


@dataclass
class Login:
    """The sign-in of one server. box: for cookies; used: states that came back, with their end."""

    settings: SignIn
    box: Fernet
    used: dict[str, float] = field(default_factory=dict)
    found: dict[str, tuple[Endpoints, float]] = field(default_factory=dict)


def ready(settings: SignIn) -> Login:
    try:
        from cryptography.fernet import Fernet

        client_class()
    except ImportError as error:
        raise MissingPackage("sign-in", "leaderboard", error) from error
    return Login(settings, Fernet(Fernet.generate_key()))


async def begin(login: Login, provider: Provider, language: str) -> tuple[str, str]:
    """The provider's address for this sign-in, and the cookie that the browser takes along."""
    trip = Trip(provider.key, language)
    with _refusing():
        to = await _endpoints(login, provider)
        async with _client(login, provider) as client:
            nonce = None if provider.api else trip.nonce
            address, _ = client.create_authorization_url(to.authorize, trip.state, trip.verifier, nonce=nonce)
    return address, login.box.encrypt(json.dumps(asdict(trip)).encode()).decode()


def trip_of(login: Login, cookie: str) -> Trip | None:
    """What a cookie of ours carries; None for one that is missing, forged, of another server, or too old."""
    from cryptography.fernet import InvalidToken

    try:
        return Trip(**json.loads(login.box.decrypt(cookie.encode(), ttl=LIFETIME)))
    except InvalidToken:
        return None


async def finish(login: Login, provider: Provider, trip: Trip | None, query: Mapping[str, str]) -> Person:
    """Who came back from the provider with this cookie and this query."""
    state = query.get("state", "").encode("utf-8", "replace")
    if trip is None or trip.provider != provider.key or not secrets.compare_digest(trip.state.encode(), state):
        raise Refused("stale", "the state is not the one that was given")
    if not _first_use(login, trip.state):
        raise Refused("stale", "the state came back twice")
    if "error" in query:
        raise Refused("denied" if query["error"] == "access_denied" else "untrue", "the provider reports an error")
    code = query.get("code", "")
    if not 0 < len(code) <= 2048:
        raise Refused("untrue", "there is no code")
    with _refusing():
        to = await _endpoints(login, provider)
        if not provider.api and query.get("iss", to.issuer) != to.issuer:  # RFC 9207
            raise Refused("untrue", "the answer names another issuer")
        async with _client(login, provider) as client:
            # RFC 6749, 2.3.1: quoted, which Authlib's own way with the head does not
            head = (quote_plus(provider.client), quote_plus(provider.secret)) if to.basic else None
            token = await client.fetch_token(to.token, code=code, code_verifier=trip.verifier, auth=head)
            if provider.api:
                return _github_user((await client.get(f"{provider.api}/user")).json(), provider)
            keys = (await client.request("GET", to.keys, withhold_token=True)).json()
        return _person(token["id_token"], keys, provider, to.issuer, trip.nonce)


def _client(login: Login, provider: Provider) -> AsyncOAuth2Client:
    return client_class()(
        provider.client, provider.secret, "client_secret_post", scope=None if provider.api else "openid profile",
        redirect_uri=login.settings.callback(provider), code_challenge_method="S256",
    )  # fmt: skip


@contextmanager
def _refusing() -> Iterator[None]:
    """One kind of error, for many: what comes from a provider may be anything at all, and Authlib repeats it."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        raise Refused("untrue", f"what it says is not right ({type(error).__name__})") from error


def _first_use(login: Login, state: str) -> bool:
    """Whether a state comes back for the first time; those that are too old anyway are forgotten."""
    moment = time.monotonic()
    login.used = {known: end for known, end in login.used.items() if end > moment}
    if state in login.used:
        return False
    login.used[state] = moment + LIFETIME + LEEWAY
    return True


async def _endpoints(login: Login, provider: Provider) -> Endpoints:
    """Where a provider is asked; what it says of itself is kept as long as a sign-in may take."""
    if provider.api:
        base = f"{provider.issuer}/login/oauth"
        return Endpoints(f"{base}/authorize", f"{base}/access_token")
    kept, end = login.found.get(provider.key, (None, 0.0))
    if kept is None or time.monotonic() > end:
        async with _client(login, provider) as client:
            address = f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration"
            said = (await client.request("GET", address, withhold_token=True)).json()
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "issuer")
        authorize, token, keys, issuer = (str(said.get(name, "")) for name in names)
        if issuer.rstrip("/") != provider.issuer.rstrip("/"):
            raise Refused("untrue", "discovery: another issuer than the configured one")
        if not all(map(safe, (authorize, token, keys))):
            raise Refused("untrue", "discovery: an address that is not https")
        ways = said.get("token_endpoint_auth_methods_supported")
        basic = not isinstance(ways, list) or "client_secret_basic" in ways
        kept = Endpoints(authorize, token, keys, issuer, basic)
        login.found[provider.key] = kept, time.monotonic() + LIFETIME
    return kept


def _github_user(user: dict[str, Any], provider: Provider) -> Person:
    number, name = user.get("id"), user.get("login")
    if type(number) is not int or number < 1:
        raise Refused("untrue", "the user has no number")
    return Person(provider.issuer, str(number), name if isinstance(name, str) else "")


def _person(id_token: Any, keys: Any, provider: Provider, issuer: str, nonce: str) -> Person:
    """Who an id_token speaks of, once all is checked that OpenID Connect Core 1.0, 3.1.3.7 demands."""
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.jwk import KeySet

    signed = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)
    ours = {"iss": {"value": issuer}, "aud": {"value": provider.client}}
    claims = CodeIDToken(signed.claims, signed.header, ours, {"nonce": nonce, "client_id": provider.client})
    claims.validate(leeway=LEEWAY)
    if claims["iat"] < time.time() - LIFETIME - LEEWAY:
        raise Refused("untrue", "the id_token is not of this sign-in")
    if not SUBJECT.fullmatch(claims["sub"]):
        raise Refused("untrue", "the subject is not one")
    name = claims.get("preferred_username")
    return Person(issuer, claims["sub"], name if isinstance(name, str) else "")
