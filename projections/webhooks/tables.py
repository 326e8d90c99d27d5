"""Tables of webhooks: the endpoints without their secrets, deliveries, and every attempt."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from projections.tables import METADATA, tenant_key

webhook_endpoints = Table(
    "webhook_endpoints",
    METADATA,
    tenant_key(),
    Column("webhook_id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("events", JSONB, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    METADATA,
    tenant_key(),
    Column("message_id", Text, primary_key=True),
    Column("webhook_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("event_position", BigInteger, nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_status", Integer),
    Column("last_outcome", Text),
    Column("last_detail", Text, nullable=False),
    Column("last_ms", BigInteger),
    Column("last_at", DateTime(timezone=True)),
    Column("next_at", DateTime(timezone=True)),
    Index("webhook_deliveries_place", "tenant", "webhook_id", "position"),
)
