"""Tables of usage: one row a request, and counters by hour, day and month for each value of a dimension.

Rollups answer a month of a million requests from some hundred rows. No table but `usage_users` holds the name
of a user; rollups know the data subject's reference, so an erasure removes one row and sums stay exact.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from projections.tables import METADATA, PERSONAL, tenant_key

DIMENSIONS = ("total", "workspace", "segment", "provider", "model", "key", "user")
LATENCY_DIMENSIONS = frozenset({"total", "workspace", "segment", "provider", "model"})
GRAINS = ("hour", "day", "month")

usage_requests = Table(
    "usage_requests",
    METADATA,
    tenant_key(),
    Column("position", BigInteger, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("metered", Boolean, nullable=False),
    Column("operation", Text, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("segment", Text),
    Column("session", Text),
    Column("subject", Text),
    Column("provider", Text),
    Column("model", Text),
    Column("outcome", Text, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("error_code", Text),
    Column("finish_reason", Text),
    Column("fallback_reason", Text),
    Column("duration_ms", BigInteger, nullable=False),
    Column("first_content_ms", BigInteger),
    Column("latency_bin", SmallInteger, nullable=False),
    Column("usage_source", Text, nullable=False),
    Column("input_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("audio_input_tokens", BigInteger),
    Column("audio_output_tokens", BigInteger),
    Column("web_searches", BigInteger),
    Column("cost_micros", BigInteger),
    Column("unpriced", Boolean, nullable=False),
    Column("corrections", BigInteger, nullable=False),
    Column("text_stored", Boolean, nullable=False),
    Column("decision", JSONB, nullable=False),
    Column("attempts", JSONB, nullable=False),
    Column("pii", JSONB),
    Index("usage_requests_id", "tenant", "request_id"),
    Index("usage_requests_time", "tenant", "started_at", "position"),
)

usage_users = Table(
    "usage_users",
    METADATA,
    tenant_key(),
    Column("subject", Text, primary_key=True),
    Column("name", Text, nullable=False, info=PERSONAL),
)


def _counter(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


COUNTERS = (
    "requests",
    "succeeded",
    "estimated",
    "unpriced",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "web_searches",
    "cost_micros",
    "latency_ms",
)

usage_rollups = Table(
    "usage_rollups",
    METADATA,
    tenant_key(),
    Column("dimension", Text, primary_key=True),
    Column("grain", Text, primary_key=True),
    Column("start", DateTime(timezone=True), primary_key=True),
    Column("value", Text, primary_key=True),
    *(_counter(name) for name in COUNTERS),
    postgresql_with={"fillfactor": 70},
)

usage_corrections = Table(
    "usage_corrections",
    METADATA,
    tenant_key(),
    Column("position", BigInteger, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("corrects_position", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("corrected_at", DateTime(timezone=True), nullable=False),
    Column("corrected_by", Text, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("before", JSONB, nullable=False),
    Column("after", JSONB, nullable=False),
    Index("usage_corrections_id", "tenant", "request_id", "number"),
)

usage_latency = Table(
    "usage_latency",
    METADATA,
    tenant_key(),
    Column("dimension", Text, primary_key=True),
    Column("grain", Text, primary_key=True),
    Column("start", DateTime(timezone=True), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("bin", SmallInteger, primary_key=True),
    _counter("requests"),
    postgresql_with={"fillfactor": 70},
)
