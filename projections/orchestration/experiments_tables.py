"""Tables of feedback and experiments: one row a rated request, and sums for each arm."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Float, Index, Table, Text

from projections.tables import METADATA, tenant_key

feedback = Table(
    "feedback",
    METADATA,
    tenant_key(),
    Column("request_id", Text, primary_key=True),
    Column("score", Float, nullable=False),
    Column("given_at", DateTime(timezone=True), nullable=False),
    Column("workspace", Text, nullable=False),
    Column("provider", Text),
    Column("model", Text),
    Column("segment", Text),
    Column("experiment", Text),
    Column("arm", Text),
    Column("position", BigInteger, nullable=False),
    Index("feedback_time", "tenant", "given_at"),
)

ARM_COUNTERS = (
    "requests",
    "succeeded",
    "fell_back",
    "latency_ms",
    "latency_squares",
    "priced",
    "cost_micros",
    "cost_squares",
)

experiment_arms = Table(
    "experiment_arms",
    METADATA,
    tenant_key(),
    Column("workspace", Text, primary_key=True),
    Column("experiment", Text, primary_key=True),
    Column("arm", Text, primary_key=True),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in ARM_COUNTERS),
)
