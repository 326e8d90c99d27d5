"""Tables of tenancy: the tenants of the installation, and each tenant's keys without anything secret."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from projections.tables import METADATA, tenant_key

tenants = Table(
    "tenants",
    METADATA,
    Column("tenant_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", Text, nullable=False),
    info={"scope": "platform"},
)

api_keys = Table(
    "api_keys",
    METADATA,
    tenant_key(),
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("roles", JSONB, nullable=False),
    Column("workspace_id", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_by", Text),
    Index("api_keys_created", "tenant", "created_at", "key_id"),
)
