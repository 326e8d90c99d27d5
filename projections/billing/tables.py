"""Tables of billing: metered usage in cells, and what plans, subscriptions, credits and invoices are now."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from domain.billing.metering import AMOUNTS
from projections.tables import METADATA, tenant_key

billing_cells = Table(
    "billing_cells",
    METADATA,
    tenant_key(),
    Column("block", BigInteger, primary_key=True),
    Column("quarter", DateTime(timezone=True), primary_key=True),
    Column("model", Text, primary_key=True),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in AMOUNTS),
    Index("billing_cells_quarter", "tenant", "quarter"),
    postgresql_with={"fillfactor": 80},
)

billing_plans = Table(
    "billing_plans",
    METADATA,
    Column("plan_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("offered_to", Text),
    Column("terms", JSONB, nullable=False),
    Column("published_at", DateTime(timezone=True), nullable=False),
    info={"scope": "platform"},
)

billing_subscriptions = Table(
    "billing_subscriptions",
    METADATA,
    tenant_key(),
    Column("effective_at", DateTime(timezone=True), primary_key=True),
    Column("set_at", DateTime(timezone=True), nullable=False),
    Column("terms", JSONB),
)

billing_credits = Table(
    "billing_credits",
    METADATA,
    tenant_key(),
    Column("grant_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("remaining_minor", BigInteger, nullable=False),
    Column("expired_minor", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("granted_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("note", Text, nullable=False),
    Index("billing_credits_position", "tenant", "position"),
)

billing_invoices = Table(
    "billing_invoices",
    METADATA,
    tenant_key(),
    Column("invoice_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("noticed_at", DateTime(timezone=True)),
    Column("remote_id", Text),
    Column("document", JSONB, nullable=False),
    Index("billing_invoices_position", "tenant", "position"),
)

billing_differences = Table(
    "billing_differences",
    METADATA,
    tenant_key(),
    Column("kind", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("ours", Text, nullable=False),
    Column("theirs", Text, nullable=False),
    Column("found_at", DateTime(timezone=True), nullable=False),
    Column("cleared_at", DateTime(timezone=True)),
    Index("billing_differences_position", "tenant", "position"),
)

billing_reconciliations = Table(
    "billing_reconciliations",
    METADATA,
    Column("depth", Text, primary_key=True),
    Column("completed_at", DateTime(timezone=True), nullable=False),
    Column("checked", BigInteger, nullable=False),
    Column("found", BigInteger, nullable=False),
    info={"scope": "platform"},
)
