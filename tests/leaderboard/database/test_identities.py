"""Accounts of people who sign in with a provider: one for each issuer and subject, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from ita_med.leaderboard.database import accounts, backup, identities, store, tables
from ita_med.leaderboard.database.identities import Person, fitting

from ..conftest import BOTH, Files, zipped
from ..provider import Idp
from ..sign_in.test_oauth import board, sign_in, token_on
from ..web.test_api import ZIP

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cheap_hashes")]
DATABASES = BOTH
GIULIA = Person("https://login.example.org", "s-1", "giulia.rossi")


def signed_in(engine: Engine, person: Person = GIULIA, provider: str = "oidc") -> tuple[accounts.User, str]:
    with store.writing(engine) as connection:
        return identities.sign_in(connection, person, provider, "Ospedale")


def user_of(engine: Engine, token: str) -> accounts.User | None:
    with engine.begin() as connection:
        return accounts.authenticate(connection, token)


def kept(engine: Engine) -> list[str]:
    with engine.begin() as connection:
        return [str(row) for table in tables.metadata.sorted_tables for row in connection.execute(select(table))]


@pytest.mark.parametrize(("provider", "name"), [("oidc", "giulia.rossi"), ("github", "giulia")])
def test_who_signs_in_gets_a_token_that_submits(
    engine: Engine, idp: Idp, files: Files, provider: str, name: str
) -> None:
    client = board(engine, idp)
    page = sign_in(client, idp, provider)
    assert page.status_code == 200
    assert f"Your name on this board is {name}." in page.text
    token = token_on(page)
    signed = {"Authorization": f"Bearer {token}"} | ZIP
    answer = client.post("/api/v1/submissions", content=zipped(files), headers=signed)
    assert answer.status_code == 201, answer.text
    assert client.get(f"/api/v1/systems/{answer.json()['id']}").json()["row"]["user"] == name
    found = user_of(engine, token)
    assert found is not None
    assert found.role == "submitter"


@pytest.mark.parametrize("provider", ["oidc", "github"])
def test_the_second_sign_in_finds_the_account_and_ends_the_first_token(engine: Engine, idp: Idp, provider: str) -> None:
    client = board(engine, idp)
    first = token_on(sign_in(client, idp, provider))
    user = user_of(engine, first)
    assert user is not None
    with store.writing(engine) as connection:
        given = accounts.issue_token(connection, user, label="Ospedale")
    idp.claims, idp.user = {"preferred_username": "renamed"}, {"id": 4711, "login": "renamed"}
    second = token_on(sign_in(client, idp, provider))
    assert (user_of(engine, first), user_of(engine, second), user_of(engine, given)) == (None, user, user)
    with engine.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.users)) == 1
        actions = connection.execute(select(tables.audit.c.action, tables.audit.c.subject, tables.audit.c.detail)).all()
    assert [tuple(row) for row in actions if row.action == "sign in"] == [("sign in", user.name, provider)] * 2


def test_the_same_person_of_two_providers_is_two_accounts(engine: Engine) -> None:
    one, _ = signed_in(engine)
    two, _ = signed_in(engine, Person("https://other.example.org", "s-1", "giulia.rossi"), "github")
    assert (one.id != two.id, two.name) == (True, "giulia.rossi-2")


def test_no_name_takes_an_account_over(engine: Engine, user: accounts.User) -> None:
    with store.writing(engine) as connection:
        given = accounts.issue_token(connection, user)
    names = [signed_in(engine, Person(GIULIA.issuer, f"s-{n}", "Giulia.Rossi"))[0].name for n in range(12)]
    assert names[:9] == [f"Giulia.Rossi-{n}" for n in range(2, 10)] + names[8:9]
    assert len({name.lower() for name in names} | {user.name}) == 13
    assert user_of(engine, given) == user


def test_a_closed_account_stays_closed(engine: Engine, idp: Idp) -> None:
    client = board(engine, idp)
    sign_in(client, idp)
    with store.writing(engine) as connection:
        connection.execute(tables.users.update().values(disabled=True))
        before = connection.scalar(select(func.count()).select_from(tables.tokens))
    page = sign_in(client, idp)
    assert page.status_code == 403
    assert "itamed_" not in page.text
    with engine.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.tokens)) == before


def test_who_is_forgotten_leaves_no_identity_and_comes_back_as_somebody_new(engine: Engine, idp: Idp) -> None:
    client = board(engine, idp)
    token = token_on(sign_in(client, idp))
    user = user_of(engine, token)
    assert user is not None
    with store.writing(engine) as connection:
        accounts.forget(connection, user)
    assert user_of(engine, token) is None
    assert [row for row in kept(engine) if "giulia" in row or "s-1" in row or idp.url in row] == []
    again = user_of(engine, token_on(sign_in(client, idp)))
    assert again is not None
    assert (again.name, again.id != user.id) == (user.name, True)


def test_of_what_a_provider_says_only_number_and_name_are_kept(engine: Engine, idp: Idp) -> None:
    client = board(engine, idp)
    for provider in ("oidc", "github"):
        sign_in(client, idp, provider)
    rows = kept(engine)
    assert any("4711" in row for row in rows)
    for secret in ("@example.org", "127.0.0.1'", "testclient", *idp.tokens):
        assert [row for row in rows if secret in row] == []


def test_sign_ins_of_one_moment_make_one_account_with_one_token(engine: Engine) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = [one for _ in range(3) for one in pool.map(lambda _: signed_in(engine), range(6))]
    assert len({user.id for user, _ in found}) == 1
    assert sum(user_of(engine, token) is not None for _, token in found) == 1
    with engine.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.users)) == 1


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("giulia.rossi", "giulia.rossi"), ("Nicolò D'Agostìno", "Nicolo-D-Agostino"), ("anna@asl.example", "anna"),
        ("<script>alert(1)</script>", "script-alert-1-script"), ("a" * 10_000, "a" * 40), ("", "user"), ("--", "user"),
        ("日本語", "user"), ("ab", "user"), ("\x00\u202eabc\r\n", "abc"), ("a" * 39 + ".-._b", "a" * 39),
        ("../../etc/passwd", "etc-passwd"), ("'; DROP TABLE users;--", "DROP-TABLE-users"), ("\ud800x" * 3, "xxx"),
    ],
)  # fmt: skip
def test_any_name_is_made_to_fit(wanted: str, name: str) -> None:
    assert fitting(wanted) == name
    assert accounts.NAME.fullmatch(name)


def test_a_board_from_before_sign_in_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_board: bytes
) -> None:
    """As a backup of the first version, put in place again."""
    from alembic import command

    upgrade = command.upgrade
    monkeypatch.setattr(command, "upgrade", lambda config, _: upgrade(config, "0001"))
    old = store.connect(tmp_path / "old.sqlite")
    row = {"name": "giulia.rossi", "role": "submitter", "created": store.now(), "disabled": False}
    with store.writing(old) as connection:
        connection.execute(tables.users.insert().values(row))
        connection.exec_driver_sql("INSERT INTO tokens VALUES (1, 1, 'aa', 'h', 'mine', '2026-01-01', NULL, NULL)")
    backup.backup(old, tmp_path / "copy.sqlite")
    old.dispose()
    monkeypatch.undo()
    backup.restore(tmp_path / "copy.sqlite", tmp_path / "new.sqlite")
    new = store.connect(tmp_path / "new.sqlite")
    with new.begin() as connection:
        assert accounts.find_user(connection, "giulia.rossi").id == 1
        assert connection.execute(select(tables.tokens.c.label, tables.tokens.c.provider)).all() == [("mine", None)]
    assert signed_in(new)[0].name == "giulia.rossi-2"
    new.dispose()
    with sqlite3.connect(tmp_path / "new.sqlite") as opened:
        assert opened.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_backup_keeps_who_is_who(engine: Engine, tmp_path: Path) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's own tools copy all tables")
    user, _ = signed_in(engine)
    backup.backup(engine, tmp_path / "copy.sqlite")
    opened = store.connect(tmp_path / "copy.sqlite")
    assert signed_in(opened)[0] == user
    opened.dispose()
