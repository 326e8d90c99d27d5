"""The event store: an append-only, range-partitioned log with its head, streams, command ids and claims.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from alembic import op

from infrastructure.database.rights import grant_tenant_table

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LOG = """
CREATE TABLE events (
    position       bigint      NOT NULL PRIMARY KEY,
    tenant         text        NOT NULL,
    stream_id      text        NOT NULL,
    version        bigint      NOT NULL,
    type           text        NOT NULL,
    schema_version smallint    NOT NULL,
    recorded_at    timestamptz NOT NULL,
    command_id     text        NOT NULL,
    correlation    text        NOT NULL,
    actor          text        NOT NULL,
    data           bytea       NOT NULL,
    key_ids        text[]      NOT NULL,
    leaf_hash      bytea       NOT NULL,
    chain_hash     bytea       NOT NULL
) PARTITION BY RANGE (position);
CREATE INDEX events_stream ON events (stream_id, version);
CREATE INDEX events_type ON events (type, position);
CREATE INDEX events_tenant ON events (tenant, position);
ALTER TABLE events ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE log_head (
    id       smallint PRIMARY KEY CHECK (id = 1),
    position bigint NOT NULL,
    chain    bytea  NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_head VALUES (1, 0, decode(repeat('00', 32), 'hex'));

CREATE TABLE streams (stream_id text PRIMARY KEY, tenant text NOT NULL, version bigint NOT NULL)
    WITH (fillfactor = 50);
CREATE TABLE commands (
    command_key    text PRIMARY KEY,
    tenant         text   NOT NULL,
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL
);
CREATE TABLE claims (claim_key text PRIMARY KEY, tenant text NOT NULL, holder text NOT NULL);
CREATE TABLE snapshots (
    stream_id text PRIMARY KEY, tenant text NOT NULL, version bigint NOT NULL, shape text NOT NULL,
    key_id text NOT NULL, state bytea NOT NULL
);
"""

IMMUTABLE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE events ENABLE ALWAYS TRIGGER append_only;
"""

# The log writer may not own tables, so a function of the owner adds partitions for it. A partition gets its
# own trigger (a statement on a partition does not fire the parent's) and its own forced row-level security.
PARTITIONS = """
CREATE FUNCTION ensure_event_partition(upto bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    span CONSTANT bigint := 4000000;
    number bigint := upto / span;
    part text := format('events_p%s', lpad(number::text, 5, '0'));
BEGIN
    IF to_regclass(part) IS NOT NULL THEN RETURN; END IF;
    PERFORM pg_advisory_xact_lock(7301);
    IF to_regclass(part) IS NOT NULL THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%s) TO (%s)',
                   part, number * span, (number + 1) * span);
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
                    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only', part);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', part);
END $$;
REVOKE ALL ON FUNCTION ensure_event_partition(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_event_partition(bigint) TO aios_system;
SELECT ensure_event_partition(1);
SELECT ensure_event_partition(4000001);
"""

NODES = """
CREATE TABLE nodes (
    node_id text PRIMARY KEY, applied bigint NOT NULL, seen_at timestamptz NOT NULL
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE, DELETE ON nodes TO aios_system;
"""


def upgrade() -> None:
    """Create the log and give each role what it needs and no more."""
    op.execute(LOG)
    op.execute(IMMUTABLE)
    op.execute(PARTITIONS)
    op.execute(NODES)
    op.execute("GRANT SELECT, UPDATE ON log_head TO aios_system; GRANT SELECT ON log_head TO aios_app;")
    for statement in (
        *grant_tenant_table("events", system="SELECT, INSERT", app="SELECT, INSERT"),
        *grant_tenant_table("streams", system="SELECT, INSERT, UPDATE", app="SELECT"),
        *grant_tenant_table("commands", system="SELECT, INSERT", app=""),
        *grant_tenant_table("claims", system="SELECT, INSERT, UPDATE, DELETE", app=""),
        *grant_tenant_table("snapshots", system="SELECT, INSERT, UPDATE, DELETE", app=""),
    ):
        op.execute(statement)
