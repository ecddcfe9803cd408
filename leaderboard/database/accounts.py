"""Users and their tokens. A token is shown once, when it is made; the database holds its argon2 hash."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ita_med.errors import ItaMedError
from ita_med.leaderboard.database import tables
from ita_med.leaderboard.database.store import lock_user, now, record

ROLES = ("submitter", "maintainer")
TOKEN = re.compile(r"itamed_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,38}[A-Za-z0-9]")


@dataclass(frozen=True)
class User:
    """A user of the board; role is one of `ROLES`."""

    id: int
    name: str
    role: str

    @property
    def maintainer(self) -> bool:
        """Whether the user may do what only maintainers may."""
        return self.role == "maintainer"


def add_user(connection: Connection, name: str, role: str = "submitter") -> User:
    """Add a user.

    Args:
        connection: Of a `store.writing` transaction.
        name: 3 to 40 letters, digits, dots, dashes and underscores.
        role: One of `ROLES`.

    Raises:
        ItaMedError: The name or the role is not allowed, or the name is taken.
    """
    if role not in ROLES:
        raise ItaMedError(f"a role is one of {', '.join(ROLES)}")
    if not NAME.fullmatch(name):
        raise ItaMedError("a user name has 3 to 40 letters, digits, dots, dashes or underscores")
    values = {"name": name, "role": role, "created": now(), "disabled": False}
    try:
        with connection.begin_nested():
            found = connection.execute(insert(tables.users).values(values).returning(tables.users.c.id)).scalar_one()
    except IntegrityError as error:
        raise ItaMedError(f'there is a user "{name}" already') from error
    record(connection, found, "add user", name, role)
    return User(found, name, role)


def find_user(connection: Connection, name: str) -> User:
    """The user of a name; an ItaMedError where there is none."""
    row = connection.execute(select(tables.users).where(tables.users.c.name == name)).first()
    if row is None:
        raise ItaMedError(f'there is no user "{name}"')
    return User(row.id, row.name, row.role)


KEPT = ("benchmark_version", "chat_template_sha256", "data", "dtype", "prompts_sha256", "versions")
"""What a forgotten user's manifests keep: no commands, paths, machines or times."""


def forget(connection: Connection, user: User) -> None:
    """Delete what is personal of a user. Scores, predictions and declared models stay, without a name.

    Tokens with their labels and identities of sign-ins are deleted, manifests cut to `KEPT`, waiting models taken out
    of the queue; the name is replaced everywhere, so that it is free again, and nobody can sign in as the old account.
    """
    lock_user(connection, user.id)  # a sign-in at the same moment has ended before, or finds no account afterwards
    nobody = f"(deleted {user.id})"
    for table in (tables.tokens, tables.identities):
        connection.execute(delete(table).where(table.c.user_id == user.id))
    waiting = (tables.jobs.c.user_id == user.id) & (tables.jobs.c.state == "queued")
    connection.execute(
        update(tables.jobs).where(waiting).values(state="failed", message="its user left", finished=now())
    )
    submissions = tables.submissions
    for row in connection.execute(
        select(submissions.c.id, submissions.c.manifest).where(submissions.c.user_id == user.id)
    ).all():
        manifest = {key: row.manifest[key] for key in KEPT if key in row.manifest}
        connection.execute(update(submissions).where(submissions.c.id == row.id).values(manifest=manifest))
    connection.execute(update(tables.audit).where(tables.audit.c.subject == user.name).values(subject=nobody))
    gone = {"name": nobody, "role": "submitter", "disabled": True}
    connection.execute(update(tables.users).where(tables.users.c.id == user.id).values(gone))
    record(connection, None, "forget user", nobody)


def issue_token(
    connection: Connection, user: User, label: str = "", days: int | None = 365, provider: str | None = None
) -> str:
    """Make a new token of a user. Only its hash is kept, so it can be shown this once.

    Args:
        connection: Of a `store.writing` transaction.
        user: Whose token it is.
        label: What the token is for, in the user's words.
        days: How long it is valid; None until it is revoked.
        provider: The provider of the sign-in that asks for it; None where a maintainer gives it.
    """
    from argon2 import PasswordHasher

    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    values = {
        "user_id": user.id,
        "prefix": prefix,
        "hash": PasswordHasher().hash(secret),
        "label": label[:80],
        "created": now(),
        "expires": now() + timedelta(days=days) if days else None,
        "provider": provider,
    }
    connection.execute(insert(tables.tokens).values(values))
    record(connection, user.id, "issue token", prefix)
    return f"itamed_{prefix}_{secret}"


def revoke_token(connection: Connection, prefix: str) -> None:
    """Make a token useless from now on; `prefix` is the middle part of the token."""
    changed = connection.execute(
        update(tables.tokens)
        .where((tables.tokens.c.prefix == prefix) & tables.tokens.c.revoked.is_(None))
        .values(revoked=now())
    )
    if changed.rowcount != 1:
        raise ItaMedError(f'there is no valid token "{prefix}"')
    record(connection, None, "revoke token", prefix)


def authenticate(connection: Connection, token: str) -> User | None:
    """The user of a token, or None for any token that is malformed, unknown, wrong, expired or revoked.

    Every well-formed token costs one argon2 verification, whether there is one of its name or not, so that the time
    tells nothing; what was verified lately is remembered by a keyed digest, and its row read every time all the same.
    """
    match = TOKEN.fullmatch(token)
    if match is None:
        return None
    found = connection.execute(
        select(tables.tokens, tables.users.c.name, tables.users.c.role, tables.users.c.disabled)
        .join(tables.users, tables.users.c.id == tables.tokens.c.user_id)
        .where(tables.tokens.c.prefix == match[1])
    ).first()
    right = _verified(found.hash if found else NOBODY, match[2])
    if found is None or not right or found.disabled or found.revoked is not None or _past(found.expires):
        return None
    return User(found.user_id, found.name, found.role)


NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$5H7HE9l8M2M0xkZYF3n1Eg$Md8jb4KRQCb2JC3DhVyw5JA2uJsqZtkGXZn1lbCWtmk"
"""A hash that no token has, with argon2-cffi's usual costs."""
REMEMBERED = 1000
_KEY = secrets.token_bytes(32)
_known: dict[bytes, None] = {}


def _verified(kept: str, secret: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import VerificationError

    digest = hashlib.blake2b(f"{kept} {secret}".encode(), key=_KEY).digest()
    if digest in _known:
        return True
    try:
        PasswordHasher().verify(kept, secret)
    except VerificationError:
        return False
    if len(_known) >= REMEMBERED:
        _known.clear()
    _known[digest] = None
    return True


def _past(moment: datetime | None) -> bool:
    """Whether a moment is over; SQLite gives times back without their zone, all are UTC."""
    return moment is not None and moment.replace(tzinfo=None) < now().replace(tzinfo=None)
