"""Tables of orchestration: every version of every workspace's policy."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from projections.tables import METADATA, tenant_key

model_policies = Table(
    "model_policies",
    METADATA,
    tenant_key(),
    Column("workspace_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("set_by", Text, nullable=False),
    Column("set_at", DateTime(timezone=True), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("policy", JSONB, nullable=False),
)
