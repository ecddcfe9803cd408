"""With whom one may sign in on this board: read from the environment once, at the start; nothing means nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from ita_med.errors import ItaMedError

SPACE = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OPENID_PROVIDER_URL")
"""What a Space with `hf_oauth: true` sets, beside SPACE_HOST, which every Space sets."""
OIDC = ("ITA_MED_OIDC_CLIENT_ID", "ITA_MED_OIDC_CLIENT_SECRET", "ITA_MED_OIDC_ISSUER")
OIDC_NAME = "ITA_MED_OIDC_NAME"
GITHUB = ("ITA_MED_GITHUB_CLIENT_ID", "ITA_MED_GITHUB_CLIENT_SECRET")
GITHUB_URLS = ("ITA_MED_GITHUB_URL", "ITA_MED_GITHUB_API_URL")
URL = "ITA_MED_URL"
ORIGIN = re.compile(r"https?://[\w.:\[\]-]+/?", re.ASCII)
ADDRESS = re.compile(r"https?://[\w.:\[\]-]+(/[\w.~/-]*)?", re.ASCII)


@dataclass(frozen=True)
class Provider:
    """key: in our addresses; name: shown; issuer: who vouches for its subjects; api: of GitHub, which knows no
    OpenID Connect, "" for all others."""

    key: str
    name: str
    client: str
    secret: str = field(repr=False)
    issuer: str = ""
    api: str = ""


@dataclass(frozen=True)
class SignIn:
    """url: the board's public address, from which every address of ours that a provider gets is made."""

    url: str
    providers: tuple[Provider, ...]

    @property
    def https(self) -> bool:
        return self.url.startswith("https:")

    def callback(self, provider: Provider) -> str:
        """Each provider has its own, so that what one of them says is never taken for another one's word."""
        return f"{self.url}/login/{provider.key}/callback"


def configured(env: Mapping[str, str]) -> SignIn | None:
    """The sign-in that the environment describes, None where it describes none; half of one is an error."""
    found = [*_space(env), *_oidc(env), *_github(env)]
    if not found:
        return None
    if env.get(URL):
        url = env[URL]
    elif env.get("SPACE_HOST"):
        url = f"https://{env['SPACE_HOST']}"
    else:
        raise ItaMedError(f"sign-in needs {URL}, the board's public address, as https://board.example.org")
    if not ORIGIN.fullmatch(url) or not safe(url):
        raise ItaMedError(f"{URL} is an address as https://board.example.org (http on loopback only), without a path")
    return SignIn(url.rstrip("/"), tuple(found))


def _space(env: Mapping[str, str]) -> list[Provider]:
    values = _all_or_none(env, (*SPACE, "SPACE_HOST"), SPACE)
    return (
        [Provider("huggingface", "Hugging Face", values[0], values[1], _address(SPACE[2], values[2]))] if values else []
    )


def _oidc(env: Mapping[str, str]) -> list[Provider]:
    values = _all_or_none(env, OIDC, (*OIDC, OIDC_NAME))
    if not values:
        return []
    issuer = _address(OIDC[2], values[2])
    name = env.get(OIDC_NAME) or str(urlsplit(issuer).hostname)
    if len(name) > 40 or not name.isprintable():
        raise ItaMedError(f"{OIDC_NAME} has at most 40 printable characters")
    return [Provider("oidc", name, values[0], values[1], issuer)]


def _github(env: Mapping[str, str]) -> list[Provider]:
    """github.com, or a GitHub Enterprise, whose API usually lies below its own address."""
    values = _all_or_none(env, GITHUB, (*GITHUB, *GITHUB_URLS))
    if not values:
        return []
    own = env.get(GITHUB_URLS[0], "")
    issuer = _address(GITHUB_URLS[0], own or "https://github.com").rstrip("/")
    api = env.get(GITHUB_URLS[1]) or (f"{issuer}/api/v3" if own else "https://api.github.com")
    return [Provider("github", "GitHub", values[0], values[1], issuer, _address(GITHUB_URLS[1], api).rstrip("/"))]


def _all_or_none(env: Mapping[str, str], needed: tuple[str, ...], any_of: tuple[str, ...]) -> list[str]:
    """The values of all needed variables; nothing where none of `any_of` is set."""
    set_ = [name for name in any_of if env.get(name)]
    missing = [name for name in needed if not env.get(name)]
    if set_ and missing:
        raise ItaMedError(f"sign-in: {set_[0]} is set, but not {', '.join(missing)}; set all of them or none")
    return [env[name] for name in needed] if set_ else []


def _address(variable: str, value: str) -> str:
    if len(value) > 255 or not ADDRESS.fullmatch(value) or not safe(value):
        raise ItaMedError(f"{variable} is an https address, without a query (http on loopback only)")
    return value


def safe(address: str) -> bool:
    """https, or the machine itself."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _loopback(host)))


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
