"""No tenant sees another's rows: checked for every table with a tenant column, whoever added it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.operations.schema import migrate_all
from infrastructure.runtime import Endpoints
from projections.registry import PROJECTIONS

TENANT_TABLES = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner) AS owner,
       c.relispartition
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname
"""
TENANT_VIEWS = """
SELECT c.relname, coalesce('security_invoker=true' = ANY(c.reloptions), false)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
WHERE c.relkind IN ('v', 'm') AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname
"""
COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typcategory,
       a.attidentity <> '' OR a.attgenerated <> ''
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
"""


@pytest.fixture
def installed(database: PostgresEndpoint) -> PostgresEndpoint:
    """A database as `aios migrate` leaves it: migrations and the tables of all projections."""
    where = Endpoints(
        app_dsn=database.app_dsn,
        system_dsn=database.system_dsn,
        owner_dsn=database.owner_dsn,
        keyring_dsn=database.keyring_dsn,
        redis_url="",
    )
    migrate_all(where)
    return database


def tables(database: PostgresEndpoint) -> list[Any]:
    with psycopg.connect(database.admin_dsn) as conn:
        return conn.execute(TENANT_TABLES).fetchall()


def insert_row(conn: psycopg.Connection, table: str, tenant: str) -> None:
    """Add some row of a tenant, whatever the table's columns and checks; as superuser without triggers."""
    columns = [row for row in conn.execute(COLUMNS, [table]).fetchall() if not row[3]]
    names = [row[0] for row in columns]
    values = [tenant if name == "tenant" else _some(kind, category) for name, kind, category, _ in columns]
    casts = [sql.SQL("%s::") + sql.SQL(kind) for _, kind, _, _ in columns]
    insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(casts),
    )
    conn.execute(insert, values)


_OTHER = {"bytea": "\\x00", "halfvec": "[1]", "tsvector": "some"}


def _some(kind: str, category: str) -> Any:
    match category:
        case "A":
            return "{}"
        case "N":
            return 1
        case "B":
            return True
        case "D":
            return "2026-01-31T00:00:00Z"
        case "T":
            return "1 hour"
        case _:
            return "{}" if kind.startswith("json") else _OTHER.get(kind, "some")


def drop_checks(conn: psycopg.Connection, table: str) -> None:
    found = conn.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c', 'f') "
        "AND coninhcount = 0",
        [table],
    ).fetchall()
    for (name,) in found:
        conn.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(table), sql.Identifier(name))
        )


def test_every_table_with_a_tenant_forces_row_level_security_on_its_owner_too(
    installed: PostgresEndpoint,
) -> None:
    found = tables(installed)
    names = {row[0] for row in found}
    assert {"events", "streams", "commands", "claims", "snapshots", "idempotency"} <= names
    for projection in PROJECTIONS:
        for table in projection.tables:
            if "tenant" in table.columns:
                assert any(name.startswith(table.name) for name in names), table.name
    assert [row[0] for row in found if not (row[1] and row[2])] == []
    assert {row[3] for row in found} == {"aios_owner"}


def test_views_of_tenant_tables_run_with_their_readers_rights(installed: PostgresEndpoint) -> None:
    with psycopg.connect(installed.admin_dsn) as conn:
        found = conn.execute(TENANT_VIEWS).fetchall()
    assert found
    assert [name for name, invoker in found if not invoker] == []


@pytest.mark.parametrize("role", ["aios_app", "aios_system", "aios_owner"])
def test_no_role_of_the_product_may_pass_by_row_level_security(
    installed: PostgresEndpoint, role: str
) -> None:
    with psycopg.connect(installed.admin_dsn) as conn:
        rights = conn.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles "
            "WHERE rolname = %s",
            [role],
        ).fetchone()
        memberships = conn.execute(
            "SELECT roleid::regrole::text FROM pg_auth_members WHERE member = %s::regrole", [role]
        ).fetchall()
    assert rights == (False, False, False, False, False)
    assert memberships == []


def count(conn: psycopg.Connection, table: str) -> int:
    (found,) = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone() or ()
    return int(found)


def fill_for(database: PostgresEndpoint, tenant: str) -> list[str]:
    """Put a row of a tenant into every table with tenants; returns the tables that `aios_app` may read."""
    names = [row[0] for row in tables(database) if not row[4]]
    with psycopg.connect(database.admin_dsn) as conn:
        conn.execute("SET session_replication_role = replica")
        for name in names:
            drop_checks(conn, name)
            insert_row(conn, name, tenant)
            assert count(conn, name) == 1, name
    with psycopg.connect(database.app_dsn) as conn:
        query = "SELECT has_table_privilege(%s, 'SELECT')"
        return [name for name in names if conn.execute(query, [name]).fetchone() == (True,)]


@pytest.mark.parametrize("tenant", ["", "tenant-a", "tenant-b"], ids=["unset", "another", "its own"])
def test_the_request_path_sees_its_tenants_rows_and_no_others_in_any_table(
    installed: PostgresEndpoint, tenant: str
) -> None:
    readable = fill_for(installed, "tenant-b")
    seen = set()
    with psycopg.connect(installed.app_dsn) as conn:
        if tenant:
            conn.execute("SELECT set_config('aios.tenant', %s, true)", [tenant])
        seen = {name for name in readable if count(conn, name)}
    assert {"events", "idempotency"} <= set(readable)
    assert seen == (set(readable) if tenant == "tenant-b" else set())


def test_the_request_path_cannot_write_rows_of_another_tenant(installed: PostgresEndpoint) -> None:
    with psycopg.connect(installed.app_dsn) as conn:
        conn.execute("SELECT set_config('aios.tenant', 'tenant-a', false)")
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            insert_row(conn, "idempotency", "tenant-b")


@pytest.mark.parametrize("change", ["UPDATE events SET actor = 'x'", "DELETE FROM events", "TRUNCATE events"])
@pytest.mark.parametrize("role", ["app", "system", "owner", "admin"])
def test_nobody_changes_events_not_even_a_superuser(
    installed: PostgresEndpoint, role: str, change: str
) -> None:
    dsn = {
        "app": installed.app_dsn,
        "system": installed.system_dsn,
        "owner": installed.owner_dsn,
        "admin": installed.admin_dsn,
    }[role]
    with psycopg.connect(dsn) as conn, pytest.raises(InsufficientPrivilege):
        conn.execute(change.encode())


@pytest.mark.parametrize("role", ["app", "system"])
def test_neither_running_role_can_change_the_schema(installed: PostgresEndpoint, role: str) -> None:
    dsn = installed.app_dsn if role == "app" else installed.system_dsn
    for statement in (
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "ALTER TABLE events NO FORCE ROW LEVEL SECURITY",
        "CREATE TABLE mine (id int)",
        "SET session_replication_role = replica",
    ):
        with psycopg.connect(dsn) as conn, pytest.raises(InsufficientPrivilege):
            conn.execute(statement.encode())
