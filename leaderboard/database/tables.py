"""The tables of the board, in SQLAlchemy Core; `migrations/` creates and changes them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()
Id = BigInteger().with_variant(Integer, "sqlite")

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(40), nullable=False, unique=True),
    Column("role", String(20), nullable=False),  # "submitter" or "maintainer"
    Column("created", DateTime(timezone=True), nullable=False),
    Column("disabled", Boolean, nullable=False, default=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("prefix", String(16), nullable=False, unique=True),  # names the token in messages and finds its row
    Column("hash", String(200), nullable=False),  # argon2
    Column("label", String(80), nullable=False, default=""),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("expires", DateTime(timezone=True)),
    Column("revoked", DateTime(timezone=True)),
    Column("provider", String(20)),  # of the sign-in that made it; null: given by a maintainer
)

identities = Table(
    "identities",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("issuer", String(255), nullable=False),
    Column("subject", String(255), nullable=False),  # who it is there; names and e-mail addresses change hands
    Column("created", DateTime(timezone=True), nullable=False),
    UniqueConstraint("issuer", "subject"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),  # see Submission.key
    Column("benchmark_version", String(20), nullable=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("provenance", String(20), nullable=False),  # "re-scored", "reproduced", "floor"
    Column("synthetic", Boolean, nullable=False),
    Column("withdrawn", DateTime(timezone=True)),
    Column("predictions_sha256", String(64), nullable=False),
    Column("claim", JSON, nullable=False),  # Claim as a dictionary
    Column("manifest", JSON, nullable=False),
    Index("submissions_version", "benchmark_version", "synthetic", "withdrawn"),
)

results = Table(
    "results",
    metadata,
    Column("submission_id", ForeignKey("submissions.id", ondelete="CASCADE"), primary_key=True),
    Column("task", String(80), primary_key=True),
    Column("data", String(80), nullable=False),  # provenance of the gold data: "mirror:1f00ba47c0de"
    Column("score", Float, nullable=False),
    Column("stderr", Float, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("counts", LargeBinary, nullable=False),  # zlib of float64 (clusters, columns), see store.counts
    Column("clusters", Integer, nullable=False),
    Column("columns", Integer, nullable=False),
    Column("predictions", LargeBinary, nullable=False),  # zlib of the JSON Lines as uploaded
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),  # sha256 of model, revision, method, benchmark version
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("model", String(200), nullable=False),
    Column("revision", String(80), nullable=False),
    Column("method", String(40), nullable=False),
    Column("benchmark_version", String(20), nullable=False),
    Column("state", String(12), nullable=False),  # "queued", "running", "done", "failed", "cancelled"
    Column("attempts", Integer, nullable=False, default=0),
    Column("worker", String(80)),
    Column("heartbeat", DateTime(timezone=True)),
    Column("message", Text, nullable=False, default=""),
    Column("submission_id", ForeignKey("submissions.id")),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("finished", DateTime(timezone=True)),
    Index("jobs_state", "state", "created"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("user_id", ForeignKey("users.id")),
    Column("action", String(40), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("detail", Text, nullable=False, default=""),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("day", String(10), nullable=False),
    Column("submission_id", ForeignKey("submissions.id"), nullable=False),
    UniqueConstraint("submission_id"),
    Index("uploads_quota", "user_id", "day"),
)
