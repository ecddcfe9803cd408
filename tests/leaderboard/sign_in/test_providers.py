"""Which providers the environment describes; half a description is one line, and none is no sign-in at all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ita_med.errors import ItaMedError
from ita_med.leaderboard.sign_in.providers import configured

from ...dataset_builders.conftest import Command, command

__all__ = ["command"]
SPACE = {
    "OAUTH_CLIENT_ID": "one", "OAUTH_CLIENT_SECRET": "hidden", "OPENID_PROVIDER_URL": "https://huggingface.co",
    "SPACE_HOST": "clinica-board.hf.space",
}  # fmt: skip
OIDC = {
    "ITA_MED_OIDC_ISSUER": "https://login.ospedale.example/realms/main", "ITA_MED_OIDC_CLIENT_ID": "board",
    "ITA_MED_OIDC_CLIENT_SECRET": "hidden", "ITA_MED_URL": "https://board.ospedale.example",
}  # fmt: skip
GITHUB = {
    "ITA_MED_GITHUB_CLIENT_ID": "board", "ITA_MED_GITHUB_CLIENT_SECRET": "hidden", "ITA_MED_URL": "https://b.example",
}  # fmt: skip


def test_without_a_word_in_the_environment_there_is_no_sign_in() -> None:
    assert configured({"PATH": "/bin", "SPACE_HOST": "a-b.hf.space", "ITA_MED_URL": "https://b.example"}) is None
    assert configured(dict.fromkeys(OIDC, "")) is None


def test_a_space_says_everything_itself() -> None:
    found = configured(SPACE)
    assert found is not None
    (provider,) = found.providers
    assert (provider.key, provider.name, provider.issuer) == ("huggingface", "Hugging Face", "https://huggingface.co")
    assert found.callback(provider) == "https://clinica-board.hf.space/login/huggingface/callback"
    assert "hidden" not in repr(found)
    own = configured(SPACE | {"ITA_MED_URL": "https://board.example.org/"})
    assert own is not None
    assert own.url == "https://board.example.org"


def test_a_provider_of_one_s_own_has_a_name_to_show() -> None:
    found, named = configured(OIDC), configured(OIDC | {"ITA_MED_OIDC_NAME": "Ospedale Maggiore"})
    assert found is not None
    assert named is not None
    assert (found.providers[0].name, named.providers[0].name) == ("login.ospedale.example", "Ospedale Maggiore")


@pytest.mark.parametrize(
    ("more", "issuer", "api"),
    [
        ({}, "https://github.com", "https://api.github.com"),
        ({"ITA_MED_GITHUB_URL": "https://git.example/"}, "https://git.example", "https://git.example/api/v3"),
        (
            {"ITA_MED_GITHUB_URL": "https://o.ghe.com", "ITA_MED_GITHUB_API_URL": "https://api.o.ghe.com"},
            "https://o.ghe.com", "https://api.o.ghe.com",
        ),
    ],
)  # fmt: skip
def test_github_or_one_of_its_enterprises(more: dict[str, str], issuer: str, api: str) -> None:
    found = configured(GITHUB | more)
    assert found is not None
    assert (found.providers[0].issuer, found.providers[0].api) == (issuer, api)


def test_all_three_stand_side_by_side() -> None:
    found = configured(SPACE | OIDC | GITHUB)
    assert found is not None
    assert [provider.key for provider in found.providers] == ["huggingface", "oidc", "github"]


@pytest.mark.parametrize(
    ("whole", "name"), [(whole, name) for whole in (SPACE, OIDC, GITHUB) for name in whole]
)  # fmt: skip
def test_half_a_configuration_names_what_is_missing(whole: dict[str, str], name: str) -> None:
    for half in ({k: v for k, v in whole.items() if k != name}, whole | {name: ""}):
        with pytest.raises(ItaMedError, match=name) as caught:
            configured(half)
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("name", ["ITA_MED_OIDC_NAME", "ITA_MED_GITHUB_URL", "ITA_MED_GITHUB_API_URL"])
def test_a_detail_without_its_provider_is_half_a_configuration(name: str) -> None:
    with pytest.raises(ItaMedError, match=name):
        configured({name: "https://x.example", "ITA_MED_URL": "https://b.example"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("ITA_MED_URL", value)
            for value in (
                "http://board.example.org", "board.example.org", "https://b.example/path", "https://b.example?x",
                "https://u:p@b.example", "ftp://b.example", "https://", "https://b.example:99999", "https://b\nx.example",
                "http://127.0.0.1.evil.example", "http://localhost.evil.example", "https://[::1",
            )
        ),
        *(
            ("ITA_MED_OIDC_ISSUER", value)
            for value in (
                "http://login.example", "https://u:p@login.example", "https://login.example?x=1", "file:///etc/passwd",
                "https://login.example#x", "login", "https://" + "a" * 300, "http://169.254.169.254/",
            )
        ),
        ("ITA_MED_OIDC_NAME", "x" * 41), ("ITA_MED_OIDC_NAME", "a\x00b"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_or_not_safe_is_one_line(name: str, value: str) -> None:
    with pytest.raises(ItaMedError, match=name):
        configured(OIDC | {name: value})


@pytest.mark.parametrize("url", ["http://127.0.0.1:7860", "http://localhost:7860", "http://[::1]:7860/"])
def test_on_loopback_there_need_be_no_tls(url: str) -> None:
    found = configured(OIDC | {"ITA_MED_URL": url, "ITA_MED_OIDC_ISSUER": "http://127.0.0.1:8080/realms/x"})
    assert found is not None
    assert (found.url, found.https) == (url.rstrip("/"), False)


def test_the_board_does_not_start_with_half_a_configuration(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    for name, value in (SPACE | OIDC).items():
        monkeypatch.setenv(name, "" if name == "ITA_MED_OIDC_CLIENT_SECRET" else value)
    # an address that is not ours: should the configuration be taken, the board does not start either
    done = command("leaderboard", "serve", "--host", "192.0.2.1", "--db", f"{tmp_path}/b.sqlite")
    assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert "ITA_MED_OIDC_CLIENT_SECRET" in done.err


def test_a_board_without_sign_in_imports_nothing_for_it() -> None:
    code = """
import sys
from ita_med.leaderboard.database import store
from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.web.settings import Settings
make_app(store.connect("sqlite://"), "embedded", Settings(check_processes=0))
print([name for name in sys.modules if name.split(".")[0] in ("authlib", "joserfc", "cryptography", "httpx2")
       or name.startswith("ita_med.leaderboard.sign_in.") and not name.endswith(".providers")
       or name in ("ita_med.leaderboard.database.identities", "ita_med.leaderboard.pages.sign_in_page")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
