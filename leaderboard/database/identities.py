"""People who sign in with a provider: an account is known by issuer and subject, never by a name or an address."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import accounts, store, tables
from ita_med.leaderboard.database.accounts import User

TOKEN_DAYS = 90
NOBODY_S_NAME = "user"


@dataclass(frozen=True)
class Person:
    """Who a provider says somebody is.

    Attributes:
        issuer: Who vouches for the person.
        subject: The person's own name for good at this issuer, which nobody else ever gets.
        name: What the person is called there now; somebody else may have been called so before.
    """

    issuer: str
    subject: str
    name: str


class Disabled(Exception):
    """The account of this person was closed by the maintainers."""


def sign_in(connection: Connection, person: Person, provider: str, label: str) -> tuple[User, str]:
    """Sign a person in: the account is made at the first sign-in, and tokens of earlier sign-ins end.

    Args:
        connection: Of a `store.writing` transaction.
        person: Who signs in.
        provider: Key of the provider.
        label: What the new token is called, the provider's name.

    Returns:
        The user and the new token.

    Raises:
        Disabled: The maintainers have closed the account.
    """
    user = _known(connection, person) or _new(connection, person)
    store.lock_user(connection, user.id)  # of two sign-ins at once, one token stays
    if _known(connection, person) is None:
        raise Disabled  # forgotten a moment ago
    mine = (
        (tables.tokens.c.user_id == user.id) & tables.tokens.c.provider.is_not(None) & tables.tokens.c.revoked.is_(None)
    )
    connection.execute(update(tables.tokens).where(mine).values(revoked=store.now()))
    store.record(connection, user.id, "sign in", user.name, provider)
    return user, accounts.issue_token(connection, user, label, TOKEN_DAYS, provider)


def _known(connection: Connection, person: Person) -> User | None:
    identities, users = tables.identities, tables.users
    row = connection.execute(
        select(users)
        .join(identities, identities.c.user_id == users.c.id)
        .where(identities.c.issuer == person.issuer, identities.c.subject == person.subject)
    ).first()
    if row is None:
        return None
    if row.disabled:
        raise Disabled
    return User(row.id, row.name, row.role)


def _new(connection: Connection, person: Person) -> User:
    values = {"issuer": person.issuer, "subject": person.subject, "created": store.now()}
    try:
        with connection.begin_nested():
            user = _named(connection, person.name)
            connection.execute(insert(tables.identities).values(user_id=user.id, **values))
            return user
    except IntegrityError:  # PostgreSQL: another sign-in of the same person was first
        user_there = _known(connection, person)
        if user_there is None:
            raise
        return user_there


def _named(connection: Connection, wanted: str) -> User:
    """A new submitter, called as they are called elsewhere where that is free."""
    for name in _names(wanted):
        if (
            connection.scalar(select(tables.users.c.id).where(func.lower(tables.users.c.name) == name.lower()))
            is not None
        ):
            continue  # nor a name that differs from another one's only by its capitals
        try:
            return accounts.add_user(connection, name)
        except ItaMedError:  # PostgreSQL: taken meanwhile
            continue
    raise ItaMedError("no user name is free")


def _names(wanted: str) -> Iterator[str]:
    """The names to try: the wanted one, then the same with a small number, at last with random numbers."""
    name = fitting(wanted)
    yield name
    for number in (*range(2, 10), *(secrets.randbelow(10**9) for _ in range(5))):
        yield f"{name[:30].rstrip('._-')}-{number}"


def fitting(wanted: str) -> str:
    """A name cut down to the characters that `accounts.NAME` allows.

    Of an e-mail address, only what stands before the @ is used. Where nothing useful is left, it is `NOBODY_S_NAME`.
    """
    plain = unicodedata.normalize("NFKD", wanted[:200].partition("@")[0]).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("._-")[:40].rstrip("._-")
    return name if accounts.NAME.fullmatch(name) else NOBODY_S_NAME
