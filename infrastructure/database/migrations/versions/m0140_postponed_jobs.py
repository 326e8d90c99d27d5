"""Jobs that are to be done later: the outbox enqueues them when they are due.

Revision ID: 0140
Revises: 0120
"""

from __future__ import annotations

from alembic import op

revision = "0140"
down_revision = "0120"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the time before which a job is not enqueued again."""
    op.execute("ALTER TABLE inbox ADD COLUMN not_before timestamptz")


def downgrade() -> None:
    """Drop the column."""
    op.execute("ALTER TABLE inbox DROP COLUMN not_before")
