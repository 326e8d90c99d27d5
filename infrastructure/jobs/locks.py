"""Locks that all processes share, as advisory locks of PostgreSQL: a dead holder's lock is free at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from psycopg import AsyncConnection, Error, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.kernel.errors import Unavailable

_TAKE = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_FREE = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"


class AdvisoryLocks:
    """Implements `application.workflows.ports.Locks`; each lock that is held keeps one pooled connection."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool

    @asynccontextmanager
    async def try_hold(self, name: str) -> AsyncIterator[bool]:
        """Hold a name while the block runs and tell whether it was free; never waits for it.

        Raises Unavailable when the database does not answer.
        """
        try:
            conn = await self._pool.getconn()
        except PoolTimeout as error:
            raise _unavailable(error) from error
        try:
            held = await try_lock(conn, name)
            try:
                yield held
            finally:
                if held:
                    await _free(conn, name)
        finally:
            await self._pool.putconn(conn)


async def try_lock(conn: AsyncConnection, name: str) -> bool:
    """Take a lock for as long as the connection lives or until it is freed; False when somebody has it."""
    try:
        row = await (await conn.execute(_TAKE, [name])).fetchone()
        await conn.commit()
    except OperationalError as error:
        raise _unavailable(error) from error
    return bool(row and row[0])


async def _free(conn: AsyncConnection, name: str) -> None:
    with suppress(Error):  # a connection that broke has freed it already
        await conn.execute(_FREE, [name])
        await conn.commit()


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable("database", f"the database does not answer: {type(error).__name__}", 1.0)
