"""Table of pseudonyms: where in the log the original of each is sealed, and stands nowhere else."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Index, Table, Text

from projections.tables import METADATA, tenant_key

pseudonyms = Table(
    "pseudonyms",
    METADATA,
    tenant_key(),
    Column("token", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("sealed_at", DateTime(timezone=True), nullable=False),
    Column("position", BigInteger, nullable=False),
    Index("pseudonyms_subject", "tenant", "subject"),
)
