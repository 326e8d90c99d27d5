"""Lists a tenant's events for auditors, through the application role and its row-level security."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from application.event_listing import EventFilter
from domain.kernel.errors import Unavailable
from domain.kernel.events import Envelope
from infrastructure.event_store.codec import COLUMNS, StoredRow
from infrastructure.event_store.reader import LogReader


class EventListing:
    """Implements application.event_listing.ListEvents; `pool` connects as `aios_app`."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], reader: LogReader) -> None:
        self._pool = pool
        self._reader = reader

    async def __call__(
        self, tenant: str, wanted: EventFilter, *, limit: int, newest_first: bool = False
    ) -> Sequence[Envelope[Any]]:
        """Return up to `limit` events of a tenant that pass the filter."""
        where, values = _conditions(tenant, wanted)
        order = "DESC" if newest_first else "ASC"
        query = f"SELECT {COLUMNS} FROM events WHERE {where} ORDER BY position {order} LIMIT %s"
        try:
            async with self._pool.connection() as conn:
                await conn.execute("SELECT set_config('aios.tenant', %s, true)", [tenant])
                cursor = await conn.execute(query.encode(), [*values, limit], binary=True)
                rows = [StoredRow(*row) for row in await cursor.fetchall()]
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable("database", f"the event log does not answer: {error}", 1.0) from error
        return await self._reader.decode(rows)


def _conditions(tenant: str, wanted: EventFilter) -> tuple[str, list[Any]]:
    stream = wanted.stream
    if stream is not None and not stream.startswith(f"{tenant}/"):
        stream = f"{tenant}/{stream}"
    pairs: list[tuple[str, Any]] = [("tenant = %s", tenant)]
    pairs += [_matching("type", wanted.type), _matching("stream_id", stream)]
    pairs += [
        ("actor = %s", wanted.actor),
        ("recorded_at >= %s", wanted.since),
        ("recorded_at < %s", wanted.until),
        ("position > %s", wanted.after),
        ("position < %s", wanted.before),
    ]
    given = [(condition, value) for condition, value in pairs if value is not None]
    return " AND ".join(condition for condition, _ in given), [value for _, value in given]


def _matching(column: str, text: str | None) -> tuple[str, str | None]:
    if text is None or not text.endswith("*"):
        return f"{column} = %s", text
    return f"starts_with({column}, %s)", text[:-1]
