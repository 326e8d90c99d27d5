"""The key epoch beside the head of the log: it grows when data keys are retired or destroyed.

Revision ID: 0170
Revises: 0140
"""

from __future__ import annotations

from alembic import op

revision = "0170"
down_revision = "0140"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE log_head ADD COLUMN key_epoch bigint NOT NULL DEFAULT 0")


def downgrade() -> None:
    """Drop the column."""
    op.execute("ALTER TABLE log_head DROP COLUMN key_epoch")
