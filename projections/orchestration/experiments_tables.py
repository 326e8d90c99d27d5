"""Tables of feedback and experiments: rated requests and shadows, sums for each arm and shadow target."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Float, Index, SmallInteger, Table, Text

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

shadow_requests = Table(
    "shadow_requests",
    METADATA,
    tenant_key(),
    Column("position", BigInteger, primary_key=True),
    Column("shadow_of", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("workspace", Text, nullable=False),
    Column("experiment", Text),
    Column("provider", Text),
    Column("model", Text),
    Column("sent", Boolean, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("error_code", Text),
    Column("duration_ms", BigInteger, nullable=False),
    Column("first_content_ms", BigInteger),
    Column("usage_source", Text, nullable=False),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cost_micros", BigInteger),
    Index("shadow_requests_of", "tenant", "shadow_of"),
    Index("shadow_requests_time", "tenant", "started_at"),
)

SHADOW_COUNTERS = (
    "requests",
    "sent",
    "succeeded",
    "input_tokens",
    "output_tokens",
    "latency_ms",
    "latency_squares",
    "priced",
    "cost_micros",
    "cost_squares",
)

experiment_shadows = Table(
    "experiment_shadows",
    METADATA,
    tenant_key(),
    Column("workspace", Text, primary_key=True),
    Column("experiment", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in SHADOW_COUNTERS),
)
