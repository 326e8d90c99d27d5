"""Background work: how far the outbox is, which jobs are handed over or done, which slots were ticked.

Revision ID: 0110
Revises: 0100
"""

from __future__ import annotations

from alembic import op

revision = "0110"
down_revision = "0100"
branch_labels = None
depends_on = None

# No table holds a tenant's data: jobs and slots are named by positions and schedules.
TABLES = """
CREATE TABLE outbox_cursors (
    name     text        PRIMARY KEY,
    position bigint      NOT NULL,
    queue_id text        NOT NULL DEFAULT '',
    moved_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE inbox (
    job         text        NOT NULL,
    position    bigint      NOT NULL,
    correlation text        NOT NULL DEFAULT '',
    state       text        NOT NULL DEFAULT 'handed' CHECK (state IN ('handed', 'done', 'failed')),
    handed_at   timestamptz NOT NULL DEFAULT now(),
    deliveries  integer     NOT NULL DEFAULT 1,
    done_at     timestamptz,
    error       text,
    PRIMARY KEY (job, position)
) WITH (fillfactor = 70);
CREATE INDEX inbox_handed ON inbox (handed_at) WHERE state = 'handed';
CREATE INDEX inbox_done ON inbox (done_at) WHERE state = 'done';

CREATE TABLE schedule_ticks (
    schedule    text        NOT NULL,
    slot        timestamptz NOT NULL,
    position    bigint,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (schedule, slot)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_cursors, inbox, schedule_ticks TO aios_system;
"""


def upgrade() -> None:
    """Create the tables and their rights."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("DROP TABLE outbox_cursors, inbox, schedule_ticks")
