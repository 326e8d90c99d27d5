"""Quotas: limits and exact counters (written with the log), slices of processes, requests under way.

Revision ID: 0120
Revises: 0110
"""

from __future__ import annotations

from alembic import op

from infrastructure.database.rights import grant_tenant_table

revision = "0120"
down_revision = "0110"
branch_labels = None
depends_on = None

# quota_scopes and quota_used are written in the transaction that appends the events they follow from;
# `recall` counts the times that idle slices of a scope were asked back. A slice (quota_leases) counts whole
# while its process reports, and by what it holds from then on.
TABLES = """
CREATE TABLE quota_scopes (
    tenant      text   NOT NULL,
    kind        text   NOT NULL,
    id          text   NOT NULL,
    token_limit bigint,
    cost_limit  bigint,
    hard        boolean NOT NULL,
    time_zone   text   NOT NULL,
    version     bigint NOT NULL,
    recall      bigint NOT NULL DEFAULT 0,
    recalled_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (tenant, kind, id)
) WITH (fillfactor = 50);

CREATE TABLE quota_used (
    tenant      text   NOT NULL,
    kind        text   NOT NULL,
    id          text   NOT NULL,
    month       text   NOT NULL,
    tokens      bigint NOT NULL,
    cost_micros bigint NOT NULL,
    PRIMARY KEY (tenant, kind, id, month)
) WITH (fillfactor = 50);

CREATE TABLE quota_nodes (
    node_id    text        PRIMARY KEY,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE quota_leases (
    tenant   text   NOT NULL,
    kind     text   NOT NULL,
    id       text   NOT NULL,
    month    text   NOT NULL,
    unit     text   NOT NULL CHECK (unit IN ('tokens', 'cost')),
    node_id  text   NOT NULL,
    amount   bigint NOT NULL CHECK (amount >= 0),
    held     bigint NOT NULL DEFAULT 0,
    answered bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, kind, id, month, unit, node_id)
) WITH (fillfactor = 50);
CREATE INDEX quota_leases_node ON quota_leases (node_id);

CREATE TABLE quota_holds (
    tenant     text  NOT NULL,
    request_id text  NOT NULL,
    node_id    text  NOT NULL,
    record     bytea NOT NULL,
    PRIMARY KEY (tenant, request_id)
);
CREATE INDEX quota_holds_node ON quota_holds (node_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON quota_nodes TO aios_system;
GRANT SELECT ON quota_nodes TO aios_app;
"""


# Usage from before this revision; the owner sees the log only while row-level security is not forced on it.
BACKFILL = """
ALTER TABLE events NO FORCE ROW LEVEL SECURITY;
INSERT INTO quota_used (tenant, kind, id, month, tokens, cost_micros)
SELECT m.tenant, v.kind, v.id, to_char((m.d->>'started_at')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM'),
       sum(coalesce((m.d->'usage'->>'input')::bigint, 0) + coalesce((m.d->'usage'->>'output')::bigint, 0)),
       sum(coalesce((m.d->>'cost_micros')::bigint, 0))
FROM (SELECT e.tenant, convert_from(e.data, 'UTF8')::json AS d FROM events e
      WHERE e.type = 'usage.request_recorded') m
CROSS JOIN LATERAL (VALUES ('tenant', ''), ('workspace', m.d->>'workspace'), ('key', m.d->>'key_id'),
                           ('segment', m.d->>'segment'), ('user', m.d->>'subject')) AS v (kind, id)
WHERE json_array_length(m.d->'attempts') > 0 AND m.d->>'operation' <> 'count_tokens'
  AND (v.kind = 'tenant' OR coalesce(v.id, '') <> '')
GROUP BY 1, 2, 3, 4;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Create the tables and their rights, and count what was used before."""
    op.execute(TABLES)
    op.execute(BACKFILL)
    rights = "SELECT, INSERT, UPDATE, DELETE"
    for statement in (
        *grant_tenant_table("quota_scopes", system=rights, app="SELECT"),
        *grant_tenant_table("quota_used", system=rights, app="SELECT"),
        *grant_tenant_table("quota_leases", system=rights, app="SELECT"),
        *grant_tenant_table("quota_holds", system=rights, app=""),
    ):
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("DROP TABLE quota_holds, quota_leases, quota_nodes, quota_used, quota_scopes")
