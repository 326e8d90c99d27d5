"""Tables of prices: the editions of the price book, and every version of a tenant's contract prices."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from projections.tables import METADATA, tenant_key

price_books = Table(
    "price_books",
    METADATA,
    Column("edition", Text, primary_key=True),
    Column("package", Text, nullable=False),
    Column("package_version", Text, nullable=False),
    Column("source_hash", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("providers", Integer, nullable=False),
    Column("models", Integer, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False),
    Column("position", BigInteger, nullable=False),
    info={"scope": "platform"},
)

contract_prices = Table(
    "contract_prices",
    METADATA,
    tenant_key(),
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("set_at", DateTime(timezone=True), nullable=False),
    Column("set_by", Text, nullable=False),
    Column("effective_from", DateTime(timezone=True), nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("prices", JSONB),
    Column("reason", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
)
