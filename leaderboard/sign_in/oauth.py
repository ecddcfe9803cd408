"""Sign-in with a provider: its authorization code for a person, by OpenID Connect or GitHub's OAuth 2.

PKCE (RFC 7636), state and nonce go with every sign-in. What the way back needs to know travels in one encrypted cookie,
for ten minutes; the key is this process's own. Of what a provider says, issuer, subject and name are read.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

from ita_med.errors import MissingPackage
from ita_med.leaderboard.database.identities import Person
from ita_med.leaderboard.sign_in.provider_http import Refused, ask
from ita_med.leaderboard.sign_in.providers import Provider, SignIn, safe

if TYPE_CHECKING:
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
        import httpx  # noqa: F401
        import joserfc  # noqa: F401
        from cryptography.fernet import Fernet
    except ImportError as error:
        raise MissingPackage("sign-in", "leaderboard", error) from error
    return Login(settings, Fernet(Fernet.generate_key()))


async def begin(login: Login, provider: Provider, language: str) -> tuple[str, str]:
    """The provider's address for this sign-in, and the cookie that the browser takes along."""
    to = await _endpoints(login, provider)
    trip = Trip(provider.key, language)
    asked = {
        "response_type": "code", "client_id": provider.client, "redirect_uri": login.settings.callback(provider),
        "state": trip.state, "code_challenge": challenge(trip.verifier), "code_challenge_method": "S256",
    }  # fmt: skip
    if not provider.api:
        asked |= {"scope": "openid profile", "nonce": trip.nonce}
    cookie = login.box.encrypt(json.dumps(asdict(trip)).encode()).decode()
    return f"{to.authorize}{'&' if '?' in to.authorize else '?'}{urlencode(asked)}", cookie


def challenge(verifier: str) -> str:
    """What is said of a verifier before the verifier itself (RFC 7636, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def trip_of(login: Login, cookie: str) -> Trip | None:
    """What a cookie of ours carries; None for one that is missing, forged, of another server, or too old."""
    from cryptography.fernet import InvalidToken

    try:
        return Trip(**json.loads(login.box.decrypt(cookie.encode(), ttl=LIFETIME)))
    except InvalidToken:
        return None


async def finish(login: Login, provider: Provider, trip: Trip | None, query: Mapping[str, str]) -> Person:
    """Who came back from the provider with this cookie and this query."""
    if trip is None or trip.provider != provider.key or not _same(trip.state, query.get("state", "")):
        raise Refused("stale", "the state is not the one that was given")
    if not _first_use(login, trip.state):
        raise Refused("stale", "the state came back twice")
    if "error" in query:
        raise Refused("denied" if query["error"] == "access_denied" else "untrue", "the provider reports an error")
    code = query.get("code", "")
    if not 0 < len(code) <= 2048:
        raise Refused("untrue", "there is no code")
    to = await _endpoints(login, provider)
    if provider.api:
        return await _github_user(provider, await _exchange(login, provider, to, trip, code))
    if query.get("iss", to.issuer) != to.issuer:  # RFC 9207
        raise Refused("untrue", "the answer names another issuer")
    answer = await _exchange(login, provider, to, trip, code)
    keys = await ask("keys", "GET", to.keys)
    return _person(answer.get("id_token"), keys, provider, to.issuer, trip.nonce)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "replace"))


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
        said = await ask("discovery", "GET", f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
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


async def _exchange(login: Login, provider: Provider, to: Endpoints, trip: Trip, code: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": login.settings.callback(provider),
        "code_verifier": trip.verifier,
    }  # fmt: skip
    if to.basic:
        pair = (quote_plus(provider.client), quote_plus(provider.secret))
        return await ask("token", "POST", to.token, data=form, auth=pair)
    form |= {"client_id": provider.client, "client_secret": provider.secret}
    return await ask("token", "POST", to.token, data=form)


async def _github_user(provider: Provider, answer: dict[str, Any]) -> Person:
    token = answer.get("access_token")
    if not isinstance(token, str) or not re.fullmatch(r"[\w.~+/=-]{1,1000}", token, re.ASCII):
        raise Refused("untrue", "the code was not taken")
    user = await ask("user", "GET", f"{provider.api}/user", headers={"authorization": f"Bearer {token}"})
    number, name = user.get("id"), user.get("login")
    if type(number) is not int or number < 1:
        raise Refused("untrue", "the user has no number")
    return Person(provider.issuer, str(number), name if isinstance(name, str) else "")


def _person(id_token: Any, keys: Any, provider: Provider, issuer: str, nonce: str) -> Person:
    """Who an id_token speaks of, once all is checked that OpenID Connect Core 1.0, 3.1.3.7 demands."""
    from joserfc import jwt
    from joserfc.jwk import KeySet

    must = jwt.JWTClaimsRegistry(
        leeway=LEEWAY,
        iss={"essential": True, "value": issuer},
        sub={"essential": True},
        aud={"essential": True, "value": provider.client},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        claims = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=ALGORITHMS).claims
        must.validate(claims)
    except Exception as error:  # of a token or a key that is anything at all
        raise Refused("untrue", f"the id_token is not right ({type(error).__name__})") from error
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else provider.client) != provider.client:
        raise Refused("untrue", "the id_token was made for another client")
    if claims["iat"] < time.time() - LIFETIME - LEEWAY or not isinstance(claims["nonce"], str):
        raise Refused("untrue", "the id_token is not of this sign-in")
    if not SUBJECT.fullmatch(claims["sub"]):
        raise Refused("untrue", "the subject is not one")
    name = claims.get("preferred_username")
    return Person(issuer, claims["sub"], name if isinstance(name, str) else "")
