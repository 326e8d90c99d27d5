"""Connections: SQLAlchemy engines for read models, psycopg pools for the log and the keyring."""

from __future__ import annotations

import select
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

UNTRIED_S = 0.25
"""A connection that was given back so lately is lent without a round trip to try it, unless the server has
said something meanwhile, such as that it ends: under load every third round trip was such a trial."""


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
    made = create_async_engine(
        sqlalchemy_url(dsn),
        pool_size=size,
        max_overflow=size,
        hide_parameters=True,
        connect_args={"application_name": application},
    )
    _try_those_at_rest(made)
    return made


def pool(
    dsn: str, *, size: int = 4, application: str = "aios", autocommit: bool = False
) -> AsyncConnectionPool[AsyncConnection]:
    """Return a psycopg pool, not yet open; it never waits longer than five seconds for a connection."""
    returned: WeakKeyDictionary[AsyncConnection, float] = WeakKeyDictionary()

    async def note(conn: AsyncConnection) -> None:
        returned[conn] = time.monotonic()

    async def check(conn: AsyncConnection) -> None:
        if not _in_use(conn, returned.get(conn)):
            await AsyncConnectionPool.check_connection(conn)

    return AsyncConnectionPool(
        make_conninfo(dsn, application_name=application),
        kwargs={"autocommit": autocommit},
        min_size=1,
        max_size=size,
        timeout=5.0,
        open=False,
        check=check,
        reset=note,
        name=application,
    )


def _in_use(conn: AsyncConnection, returned: float | None) -> bool:
    """Tell whether a connection was given back a moment ago and nothing has come from the server since."""
    if returned is None or time.monotonic() - returned > UNTRIED_S or conn.closed:
        return False
    waiting = select.poll()
    waiting.register(conn.fileno(), select.POLLIN)
    return not waiting.poll(0)


def _try_those_at_rest(made: AsyncEngine) -> None:
    """Try a connection before it is lent, unless it is in use; one that broke empties the pool."""
    dialect: Any = made.sync_engine.dialect

    @event.listens_for(made.sync_engine, "checkin")
    def note(_connection: Any, record: Any) -> None:
        record.info["returned"] = time.monotonic()

    @event.listens_for(made.sync_engine, "checkout")
    def check(connection: Any, record: Any, _lent: Any) -> None:
        returned = record.info.get("returned")
        if returned is None or _in_use(connection.driver_connection, returned):
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            if not dialect.is_disconnect(error, connection, None):
                raise
            raise InvalidatePoolError from error
