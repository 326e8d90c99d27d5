"""Idempotency keys: which write each key stands for, who works on it, and its sealed answer.

Revision ID: 0100
Revises: 0001
"""

from __future__ import annotations

from alembic import op

from infrastructure.database.rights import grant_tenant_table

revision = "0100"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE idempotency (
    tenant      text        NOT NULL,
    key_digest  bytea       NOT NULL,
    fingerprint bytea       NOT NULL,
    command_id  text        NOT NULL,
    owner       text        NOT NULL,
    lease_until timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    answer      bytea,
    PRIMARY KEY (tenant, key_digest)
);
CREATE INDEX idempotency_expiry ON idempotency (tenant, expires_at);
"""


def upgrade() -> None:
    """Create the table and its rights."""
    op.execute(TABLE)
    rights = "SELECT, INSERT, UPDATE, DELETE"
    for statement in grant_tenant_table("idempotency", system=rights, app=rights):
        op.execute(statement)


def downgrade() -> None:
    """Drop the table."""
    op.execute("DROP TABLE idempotency")
