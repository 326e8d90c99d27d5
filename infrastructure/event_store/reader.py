"""Reads rows of the log with the data keys they need, on psycopg's pool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.kernel.errors import Unavailable
from domain.kernel.events import Envelope, EventRegistry
from infrastructure.event_store.codec import COLUMNS, StoredRow, decode
from infrastructure.keyring.keyring import Keyring


class Batch(msgspec.Struct, frozen=True):
    """Events after a position. Everything up to `upto` was looked at; the log ended at `head` then."""

    events: list[Envelope[Any]]
    upto: int
    head: int


class LogReader:
    """Queries the log and decodes rows; rows that do not decode arrive as UnknownEvent.

    `heads` lends connections in autocommit, so that asking for the newest position is one round trip.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection],
        registry: EventRegistry,
        keyring: Keyring,
        heads: AsyncConnectionPool[AsyncConnection] | None = None,
    ) -> None:
        self._pool = pool
        self._heads = heads or pool
        self._registry = registry
        self._keyring = keyring

    async def head(self) -> int:
        """Return the position of the newest event, 0 for an empty log."""
        async with self._lent(self._heads) as conn:
            return (await self._head(conn))[0]

    async def head_and_chain(self) -> tuple[int, bytes]:
        """Return the position of the newest event and the chain value there."""
        async with self.connection() as conn:
            cursor = await conn.execute("SELECT position, chain FROM log_head WHERE id = 1", binary=True)
            position, chain = (await cursor.fetchall())[0]
        return position, bytes(chain)

    async def read_batch(
        self, after: int, limit: int, types: Sequence[str] | None = None, tenant: str | None = None
    ) -> Batch:
        """Return up to `limit` events after a position, of some types or all, in log order."""
        where, parameters = "position > %s AND position <= %s", [after]
        async with self.connection() as conn:
            head, epoch = await self._head(conn)
            if head <= after:
                return Batch([], after, head)
            values: list[Any] = [*parameters, head]
            if types is not None:
                where += " AND type = ANY(%s)"
                values.append(list(types))
            if tenant is not None:
                where += " AND tenant = %s"
                values.append(tenant)
            rows = await self._rows(conn, f"{where} ORDER BY position LIMIT %s", [*values, limit])
        events = await self.decode(rows, epoch)
        upto = events[-1].position if len(events) == limit else head
        return Batch(events, upto, head)

    async def read_stream(self, stream_id: str, after_version: int, limit: int) -> list[Envelope[Any]]:
        """Return up to `limit` events of a stream after a version."""
        async with self.connection() as conn:
            rows = await self._rows(
                conn,
                "stream_id = %s AND version > %s ORDER BY version LIMIT %s",
                [stream_id, after_version, limit],
            )
        return await self.decode(rows)

    async def decode(self, rows: Sequence[StoredRow], epoch: int | None = None) -> list[Envelope[Any]]:
        """Decode stored rows, fetching the data keys they name.

        `epoch` is the log's key epoch when the reading began, asked for where it is not known: a key that was
        destroyed before then opens nothing, whatever this process remembers.
        """
        kids = {kid for row in rows for kid in row.key_ids}
        if kids:
            if epoch is None:
                async with self.connection() as conn:
                    epoch = (await self._head(conn))[1]
            self._keyring.renew(epoch)
            await self._keyring.fetch(sorted(kids))
        return [decode(row, self._registry, self._keyring.opening_key) for row in rows]

    def connection(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Lend a connection. Raises Unavailable when the database does not answer."""
        return self._lent(self._pool)

    @staticmethod
    @asynccontextmanager
    async def _lent(pool: AsyncConnectionPool[AsyncConnection]) -> AsyncIterator[AsyncConnection]:
        try:
            async with pool.connection() as conn:
                yield conn
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable(
                "database", f"the event store's database does not answer: {error}", 1.0
            ) from error

    @staticmethod
    async def _head(conn: AsyncConnection) -> tuple[int, int]:
        cursor = await conn.execute("SELECT position, key_epoch FROM log_head WHERE id = 1", binary=True)
        row = await cursor.fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    @staticmethod
    async def _rows(conn: AsyncConnection, where: str, values: Sequence[Any]) -> list[StoredRow]:
        cursor = await conn.execute(
            f"SELECT {COLUMNS} FROM events WHERE {where}".encode(), values, binary=True
        )
        return [StoredRow(*row) for row in await cursor.fetchall()]
