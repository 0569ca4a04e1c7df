"""The tables as they are now. Must match what the migrations build; ``test_migrate.py`` compares the two.

Invariants live here too: foreign keys, unique names, and checks on every vocabulary.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from clustergenie.db._types import Instant, Json, LongText, SequenceKey

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Byte order for text on MySQL, so that names and ids compare there as they do on SQLite.
MYSQL: Any = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}

CLUSTER_STATUSES = ("healthy", "warning", "critical")
DROPLET_STATUSES = ("provisioning", "active", "stopping", "deleted", "failed")
JOB_STATUSES = ("queued", "running", "completed", "failed", "cancelled")
JOB_TYPES = ("provision", "diagnose", "scale", "monitor")
ATTEMPT_STATUSES = ("running", "completed", "failed", "cancelled", "lost")


def _one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


clusters = Table(
    "clusters",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("region", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("last_checked", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    _one_of("status", CLUSTER_STATUSES),
    Index(None, "created_at", "id"),
    **MYSQL,
)

droplets = Table(
    "droplets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("cluster_id", String(64), ForeignKey("clusters.id", ondelete="CASCADE")),
    Column("name", String(100), nullable=False),
    Column("region", String(64), nullable=False),
    Column("provider", String(100)),
    Column("size", String(64), nullable=False),
    Column("image", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("ip_address", String(45)),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    _one_of("status", DROPLET_STATUSES),
    Index(None, "cluster_id", "created_at", "id"),
    Index(None, "created_at", "id"),
    **MYSQL,
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("cluster_id", String(64), ForeignKey("clusters.id", ondelete="CASCADE")),
    Column("type", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("progress", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("result", LongText),
    Column("result_data", Json),
    Column("error", LongText),
    Column("trace_id", String(32), nullable=False),
    Column("traceparent", String(64), nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("completed_at", Instant),
    _one_of("type", JOB_TYPES),
    _one_of("status", JOB_STATUSES),
    CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
    Index(None, "created_at", "id"),
    Index(None, "cluster_id", "created_at", "id"),
    Index(None, "status", "created_at", "id"),
    **MYSQL,
)

job_attempts = Table(
    "job_attempts",
    metadata,
    Column("job_id", String(64), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("worker", String(255), nullable=False),
    Column("status", String(16), nullable=False),
    Column("claimed_at", Instant, nullable=False),
    Column("heartbeat_at", Instant, nullable=False),
    Column("lease_until", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("error", LongText),
    _one_of("status", ATTEMPT_STATUSES),
    **MYSQL,
)

metrics = Table(
    "metrics",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("cluster_id", String(64), ForeignKey("clusters.id", ondelete="CASCADE"), nullable=False),
    Column("type", String(50), nullable=False),
    Column("value", Double, nullable=False),
    Column("unit", String(16), nullable=False),
    Column("timestamp", Instant, nullable=False),
    Index(None, "cluster_id", "type", "timestamp"),
    **MYSQL,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", SequenceKey, primary_key=True, autoincrement=True),
    Column("event_id", String(64), nullable=False),
    Column("topic", String(249), nullable=False),
    Column("key", String(255), nullable=False),
    Column("headers", Json, nullable=False),
    Column("body", LongText, nullable=False),
    Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
    **MYSQL,
)

inbox = Table(
    "inbox",
    metadata,
    Column("consumer", String(100), primary_key=True),
    Column("event_id", String(64), primary_key=True),
    Column("result", Json),
    Column("created_at", Instant, nullable=False),
    Index(None, "created_at"),
    **MYSQL,
)

activity = Table(
    "activity",
    metadata,
    Column("seq", SequenceKey, primary_key=True, autoincrement=True),
    Column("event_id", String(64), nullable=False),
    Column("type", String(64), nullable=False),
    Column("source", String(255), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("job_id", String(64)),
    Column("cluster_id", String(64)),
    Column("trace_id", String(32)),
    Column("data", Json, nullable=False),
    Column("time", Instant, nullable=False),
    UniqueConstraint("event_id"),
    Index(None, "job_id", "time"),
    Index(None, "cluster_id", "time"),
    Index(None, "type", "time"),
    Index(None, "time"),
    sqlite_autoincrement=True,
    **MYSQL,
)
