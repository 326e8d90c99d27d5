"""The table of recorded health: one row a model whose health ever changed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Table, Text

from projections.tables import METADATA, tenant_key

model_health = Table(
    "model_health",
    METADATA,
    tenant_key(),
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("position", BigInteger, nullable=False),
)
