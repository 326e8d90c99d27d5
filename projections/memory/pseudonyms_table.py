"""Table of pseudonyms: where in the log the original of each is sealed, and stands nowhere else."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Table, Text

from projections.tables import METADATA, tenant_key

pseudonyms = Table(
    "pseudonyms",
    METADATA,
    tenant_key(),
    Column("token", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("memory_id", Text),
    Column("subject", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("moment", DateTime(timezone=True), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("erased", Boolean, nullable=False),
    Index("pseudonyms_subject", "tenant", "subject", "category"),
    Index("pseudonyms_source", "tenant", "source"),
    Index("pseudonyms_position", "tenant", "position"),
)
"""One row for a token and the text it stands in. `memory_id` is set where that text is a memory: its newest
event has the original, and the row outlives it, so that a token is known to be erased. `moment` is the time
whose month the data key is of.
"""
