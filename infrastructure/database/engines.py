"""Connections: SQLAlchemy engines for read models, psycopg pools for the log and the keyring."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def sqlalchemy_url(dsn: str) -> str:
    """Return a libpq URL as SQLAlchemy's URL for psycopg 3."""
    return "postgresql+psycopg://" + dsn.split("://", 1)[1]


def as_role(dsn: str, role: str) -> str:
    """Return a URL whose sessions act as `role`, for a server where one login serves every purpose."""
    return with_options(dsn, f"-c role={role}")


def with_options(dsn: str, options: str) -> str:
    """Return a URL whose sessions start with command-line options beside those it has."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    query["options"] = f"{query.get('options', '')} {options}".strip()
    return parts._replace(query=urlencode(query)).geturl()


def engine(dsn: str, *, size: int = 5, application: str = "aios") -> AsyncEngine:
    """Return an asyncio engine; connections that the server dropped are noticed and replaced, and
    errors never show a statement's parameters."""
    return create_async_engine(
        sqlalchemy_url(dsn),
        pool_size=size,
        max_overflow=size,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"application_name": application},
    )


def pool(dsn: str, *, size: int = 4, application: str = "aios") -> AsyncConnectionPool[AsyncConnection]:
    """Return a psycopg pool, not yet open; it never waits longer than five seconds for a connection."""
    return AsyncConnectionPool(
        make_conninfo(dsn, application_name=application),
        min_size=1,
        max_size=size,
        timeout=5.0,
        open=False,
        check=AsyncConnectionPool.check_connection,
        name=application,
    )
