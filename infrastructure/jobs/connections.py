"""Connections of background work: they hold locks, so the server must soon notice a machine that is gone."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

# A lost machine sends no farewell; without this its locks would stay for hours. No effect on unix sockets.
_NOTICE_LOSS = (
    "SELECT set_config('tcp_keepalives_idle', '5', false), "
    "set_config('tcp_keepalives_interval', '2', false), set_config('tcp_keepalives_count', '3', false)"
)


def job_pool(dsn: str, *, size: int, application: str = "aios-jobs") -> AsyncConnectionPool[AsyncConnection]:
    """Return a pool, not yet open. A running job takes up to three connections of it."""
    return AsyncConnectionPool(
        make_conninfo(dsn, application_name=application),
        min_size=1,
        max_size=size,
        timeout=5.0,
        open=False,
        check=AsyncConnectionPool.check_connection,
        configure=_configure,
        name=application,
    )


async def lasting_connection(dsn: str, application: str) -> AsyncConnection:
    """Return a connection of its own, in autocommit, for whoever holds a lock for long."""
    conn = await AsyncConnection.connect(make_conninfo(dsn, application_name=application), autocommit=True)
    await conn.execute(_NOTICE_LOSS)
    return conn


async def _configure(conn: AsyncConnection) -> None:
    await conn.execute(_NOTICE_LOSS)
    await conn.commit()
