"""Creates the roles, databases and extensions the product expects, or confirms that they are there."""

import psycopg
from psycopg import sql

from infrastructure.embedded.postgres_endpoint import (
    APP,
    DATABASE,
    KEYRING,
    OWNER,
    ROLES,
    SYSTEM,
)

_EXTENSIONS = ("vector", "pg_trgm", "btree_gin")
_ONE_AT_A_TIME = 0x41494F53  # "AIOS": the key of an advisory lock in the database `postgres`
_PLAIN = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"


def prepare(admin_dsn: str, credentials: dict[str, str]) -> None:
    """Make roles, databases and extensions what they should be.

    `admin_dsn` is the superuser's, for the database `postgres`. Repeating it refreshes the passwords.
    """
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_ONE_AT_A_TIME])
        for role in ROLES[1:]:
            _ensure_role(connection, role)
        for role in ROLES:
            _set_password(connection, role, credentials[role])
        for name in (DATABASE, KEYRING):
            _ensure_database(connection, name)
        _limit_access(connection)
        _ensure_extensions(admin_dsn)


def _ensure_extensions(admin_dsn: str) -> None:
    with psycopg.connect(admin_dsn, dbname=DATABASE, autocommit=True) as connection:
        for extension in _EXTENSIONS:
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))


def _ensure_role(connection: psycopg.Connection, role: str) -> None:
    exists = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None
    verb = "ALTER ROLE {} WITH " if exists else "CREATE ROLE {} WITH "
    connection.execute(sql.SQL(verb).format(sql.Identifier(role)) + sql.SQL(_PLAIN))


def _set_password(connection: psycopg.Connection, role: str, password: str) -> None:
    """Store the SCRAM verifier, so that the password itself never travels in a statement."""
    pgconn = connection.pgconn
    verifier = pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier))
    )


def _ensure_database(connection: psycopg.Connection, name: str) -> None:
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER))
        )


def _limit_access(connection: psycopg.Connection) -> None:
    database, keyring = sql.Identifier(DATABASE), sql.Identifier(KEYRING)
    connection.execute(
        sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {}, {} FROM PUBLIC").format(database, keyring)
    )
    connection.execute(
        sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}, {}").format(
            database, sql.Identifier(SYSTEM), sql.Identifier(APP)
        )
    )
