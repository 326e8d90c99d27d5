"""Tables of workflows: changed settings, and one row a run."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from projections.tables import METADATA, tenant_key

workflow_settings = Table(
    "workflow_settings",
    METADATA,
    tenant_key(),
    Column("workflow", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("interval_s", Integer),
    Column("cron", Text),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("changed_by", Text, nullable=False),
)

workflow_runs = Table(
    "workflow_runs",
    METADATA,
    tenant_key(),
    Column("run_id", Text, primary_key=True),
    Column("workflow", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("caused_by", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("counts", JSONB),
    Column("error", Text),
    Index("workflow_runs_place", "tenant", "position"),
    Index("workflow_runs_latest", "tenant", "workflow", "position"),
)
