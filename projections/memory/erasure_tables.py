"""Tables of erasures, legal holds, what was erased by which, and the audit log of memory operations."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from projections.tables import METADATA, tenant_key

memory_purges = Table(
    "memory_purges",
    METADATA,
    tenant_key(),
    Column("purge_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("subject", Text),
    Column("category", Text),
    Column("before", DateTime(timezone=True)),
    Column("reason", Text, nullable=False),
    Column("legal_basis", Text),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("approved_by", Text),
    Column("approved_at", DateTime(timezone=True)),
    Column("rejected_by", Text),
    Column("rejected_at", DateTime(timezone=True)),
    Column("completed_at", DateTime(timezone=True)),
    Column("found", JSONB),
    Column("erased", JSONB),
    Column("certificate", JSONB),
    Index("memory_purges_time", "tenant", "position"),
)

memory_holds = Table(
    "memory_holds",
    METADATA,
    tenant_key(),
    Column("hold_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("subject", Text),
    Column("category", Text),
    Column("since", DateTime(timezone=True)),
    Column("until", DateTime(timezone=True)),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("released_by", Text),
    Column("released_at", DateTime(timezone=True)),
)

memory_erased = Table(
    "memory_erased",
    METADATA,
    tenant_key(),
    Column("memory_id", Text, primary_key=True),
    Column("purge_id", Text, nullable=False),
)

memory_accesses = Table(
    "memory_accesses",
    METADATA,
    tenant_key(),
    Column("position", BigInteger, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("subject", Text),
    Column("category", Text),
    Column("target", Text),
    Column("purpose", Text),
    Column("counts", JSONB, nullable=False),
    Index("memory_accesses_subject", "tenant", "subject", "position"),
    Index("memory_accesses_actor", "tenant", "actor", "position"),
)
