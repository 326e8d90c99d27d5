"""Real servers for tests: one per test session, shared by all xdist workers, and a cheap fresh database each.

Every process that asks becomes a user of the server; it ends by itself when the last of them has ended.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.embedded.valkey import EmbeddedValkey, RedisEndpoint

# Tests kill processes, never the machine: without fsync a killed server loses nothing, and tests are faster.
_TEST_SETTINGS = {"fsync": "off", "shared_buffers": "64MB"}
_TEMPLATE_LOCK = 0x54454D50


def session_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all xdist workers of this session share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-gw") else base
    return shared / "services"


@contextmanager
def running_postgres(directory: Path) -> Iterator[PostgresEndpoint]:
    """The session's PostgreSQL, started by who asks first; do not connect to its database `aios` itself."""
    server = EmbeddedPostgres(directory, settings=_TEST_SETTINGS)
    endpoint = server.ensure_running()
    try:
        yield endpoint
    finally:
        server.release()


@contextmanager
def running_valkey(directory: Path) -> Iterator[RedisEndpoint]:
    """The session's Valkey, started by who asks first; tests keep apart by key names of their own."""
    server = EmbeddedValkey(directory)
    endpoint = server.ensure_running()
    try:
        yield endpoint
    finally:
        server.release()


def ensure_template(
    endpoint: PostgresEndpoint, name: str, fill: Callable[[PostgresEndpoint], None]
) -> PostgresEndpoint:
    """Make the template `name` (and `name`_keyring) once per session, filled by `fill(its endpoint)`."""
    made = _named(endpoint, name)
    with psycopg.connect(_maintenance(endpoint), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_TEMPLATE_LOCK])
        ready = connection.execute(
            "SELECT FROM pg_database WHERE datname = %s AND datistemplate", [name]
        ).fetchone()
        if ready is None:
            drop_database(endpoint, name)
            fresh_database(endpoint, name)
            fill(made)
            connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(sql.Identifier(name)))
    return made


def fresh_database(endpoint: PostgresEndpoint, name: str, template: str = "aios") -> PostgresEndpoint:
    """Create `name` and `name`_keyring as copies of the template's; nobody may be connected to those."""
    with psycopg.connect(_maintenance(endpoint), autocommit=True) as connection:
        for suffix in ("", "_keyring"):
            made, source = sql.Identifier(name + suffix), sql.Identifier(template + suffix)
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER aios_owner STRATEGY file_copy").format(
                    made, source
                )
            )
            connection.execute(sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(made))
        grant = sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO aios_system, aios_app")
        connection.execute(grant.format(sql.Identifier(name)))
    return _named(endpoint, name)


def drop_database(endpoint: PostgresEndpoint, name: str) -> None:
    """Drop what `fresh_database` made, cutting off whoever is still connected."""
    with psycopg.connect(_maintenance(endpoint), autocommit=True) as connection:
        for suffix in ("", "_keyring"):
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name + suffix)))


def _maintenance(endpoint: PostgresEndpoint) -> str:
    return urlsplit(endpoint.admin_dsn)._replace(path="/postgres").geturl()


def _named(endpoint: PostgresEndpoint, name: str) -> PostgresEndpoint:
    def moved(dsn: str, database: str) -> str:
        return urlsplit(dsn)._replace(path=f"/{database}").geturl()

    return replace(
        endpoint,
        app_dsn=moved(endpoint.app_dsn, name),
        system_dsn=moved(endpoint.system_dsn, name),
        owner_dsn=moved(endpoint.owner_dsn, name),
        admin_dsn=moved(endpoint.admin_dsn, name),
        keyring_dsn=moved(endpoint.keyring_dsn, f"{name}_keyring"),
    )
