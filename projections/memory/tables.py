"""Tables of memories, their vectors, the versions of their policies, and how well searches found them.

What holds texts or vectors is partitioned by a hash of the tenant: rewriting one partition after an erasure
holds up few tenants for a short time. Vectors stand apart from texts, so each is rebuilt without the other.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Double,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from projections.memory.halfvec import HALFVEC
from projections.tables import METADATA, PERSONAL, tenant_key

PARTITIONS = 16
DIMENSIONS = (256, 384, 1536)
"""Vectors of these lengths can be indexed; others are searched exactly.

A row joins the index when `indexed` is set, which is done in the background and for large tenants alone: the
graph costs more to keep than all the rest, and small tenants never use it.
"""
DEFAULT_CATEGORY = ""
_BY_TENANT = "HASH (tenant)"

memories = Table(
    "memories",
    METADATA,
    tenant_key(),
    Column("memory_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("subject_id", Text, info=PERSONAL),
    Column("user_id", Text, info=PERSONAL),
    Column("agent_id", Text, info=PERSONAL),
    Column("session_id", Text, info=PERSONAL),
    Column("content", Text, nullable=False, info=PERSONAL),
    Column("metadata", JSONB, nullable=False, info=PERSONAL),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("ttl_days", Integer),
    Column("bucket", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("confined", Boolean, nullable=False),
    Column("scrubbed", JSONB, nullable=False),
    Column("request_id", Text),
    Column("words", TSVECTOR, Computed("to_tsvector('english', content)", persisted=True), info=PERSONAL),
    Index("memories_time", "tenant", "occurred_at", "memory_id"),
    Index("memories_subject", "tenant", "subject", "category"),
    Index("memories_user", "tenant", "user_id"),
    Index("memories_words", "words", postgresql_using="gin"),
    postgresql_partition_by=_BY_TENANT,
    info={"hash_partitions": PARTITIONS},
)

memory_vectors = Table(
    "memory_vectors",
    METADATA,
    tenant_key(),
    Column("memory_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("embedding", HALFVEC, nullable=False, info=PERSONAL),
    Column("indexed", Boolean, nullable=False, server_default="false"),
    Index("memory_vectors_pending", "tenant", postgresql_where=text("NOT indexed")),
    *(
        Index(
            f"memory_vectors_{dimension}",
            text(f"(embedding::halfvec({dimension})) halfvec_cosine_ops"),
            postgresql_using="hnsw",
            postgresql_where=text(f"dimension = {dimension} AND indexed"),
        )
        for dimension in DIMENSIONS
    ),
    postgresql_partition_by=_BY_TENANT,
    info={"hash_partitions": PARTITIONS},
)

memory_policies = Table(
    "memory_policies",
    METADATA,
    tenant_key(),
    Column("category", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("set_by", Text, nullable=False),
    Column("set_at", DateTime(timezone=True), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("rules", JSONB, nullable=False),
)

memory_recall = Table(
    "memory_recall",
    METADATA,
    tenant_key(),
    Column("position", BigInteger, primary_key=True),
    Column("measured_at", DateTime(timezone=True), nullable=False),
    Column("model", Text, nullable=False),
    Column("memories", BigInteger, nullable=False),
    Column("expected", Integer, nullable=False),
    Column("found", Integer, nullable=False),
    Column("index_ms", Double, nullable=False),
    Column("exact_ms", Double, nullable=False),
)
