"""Everything that is held about one person, as one JSON object written piece by piece (GDPR art. 15, 20)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection as LogConnection
from psycopg import OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.kernel.errors import Unavailable
from domain.kernel.personal import Erased
from domain.kernel.request_record import RequestRecorded
from domain.orchestration.feedback_events import FeedbackGiven
from domain.usage.erasure_events import RequestRekeyed
from infrastructure.event_store.codec import COLUMNS, StoredRow
from infrastructure.event_store.reader import LogReader
from projections.memory.erasure_tables import memory_accesses, memory_holds, memory_purges
from projections.memory.tables import memories
from projections.usage.tables import usage_requests

PAGE = 500
TYPES = [RequestRecorded.TYPE, FeedbackGiven.TYPE, RequestRekeyed.TYPE]
Reading = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]
OriginalsAbout = Callable[[str, str], AsyncIterator[Mapping[str, str]]]
"""Yields `{token, original, source}` of a tenant's person, by the person's pseudonym."""
_HIDDEN = {"tenant", "words", "certificate"}
# The fields around a sealed one are plain, so the subject can be looked for without opening anything.
_QUOTED = f"""
SELECT {COLUMNS} FROM events WHERE tenant = %s AND type = ANY(%s) AND position > %s
AND convert_from(data, 'UTF8')::jsonb->>'subject' = %s ORDER BY position LIMIT {PAGE}
"""


class SubjectExport:
    """Reads as the application role, so no other tenant's rows exist; opens what is sealed."""

    def __init__(
        self,
        reading: Reading,
        pool: AsyncConnectionPool[LogConnection],
        reader: LogReader,
        originals: OriginalsAbout,
    ) -> None:
        self._originals = originals
        self._reading = reading
        self._pool = pool
        self._reader = reader

    async def counts(self, tenant: str, subject: str) -> dict[str, int]:
        """Return how many memories and requests are held."""
        async with self._reading(tenant) as conn:
            counted = {}
            for table in (memories, usage_requests):
                query = select(func.count()).select_from(table).where(table.c.subject == subject)
                counted[table.name.removeprefix("usage_")] = int((await conn.execute(query)).scalar_one())
        return counted

    async def document(
        self, tenant: str, subject_id: str, subject: str, at: datetime, *, reveals: bool
    ) -> AsyncIterator[bytes]:
        """Yield the export as bytes of one JSON object; originals of pseudonyms only if it `reveals`."""
        head = {"subject_id": subject_id, "subject": subject, "exported_at": at}
        yield msgspec.json.encode(head)[:-1]
        originals = (("pseudonyms", self._originals(tenant, subject)),) if reveals else ()
        for name, rows in (
            ("memories", self._table(tenant, memories, subject)),
            ("requests", self._table(tenant, usage_requests, subject)),
            ("texts_of_requests", self._texts(tenant, subject)),
            *originals,
            ("legal_holds", self._table(tenant, memory_holds, subject)),
            ("purges", self._table(tenant, memory_purges, subject)),
            ("operations", self._table(tenant, memory_accesses, subject)),
        ):
            async for piece in _listed(name, rows):
                yield piece
        yield b"}"

    async def _table(self, tenant: str, table: Any, subject: str) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the rows of a read model about a person, a page a transaction."""
        columns = [column for column in table.columns if column.name not in _HIDDEN]
        keys = [column for column in table.primary_key.columns if column.name != "tenant"]
        query = select(*columns).where(table.c.subject == subject).order_by(*keys).limit(PAGE)
        offset = 0
        while True:
            async with self._reading(tenant) as conn:
                rows = (await conn.execute(query.offset(offset))).mappings().all()
            for row in rows:
                yield dict(row)
            if len(rows) < PAGE:
                return
            offset += PAGE

    async def _texts(self, tenant: str, subject: str) -> AsyncIterator[Mapping[str, Any]]:
        """Yield what requests and ratings say in words, from the log."""
        after = 0
        while True:
            rows = await self._quoted(tenant, subject, after)
            for envelope in await self._reader.decode(rows):
                found = _words(envelope.event)
                if found:
                    yield {"position": envelope.position, "recorded_at": envelope.recorded_at, **found}
            if len(rows) < PAGE:
                return
            after = rows[-1].position

    async def _quoted(self, tenant: str, subject: str, after: int) -> list[StoredRow]:
        try:
            async with self._pool.connection() as conn:
                await conn.execute("SELECT set_config('aios.tenant', %s, true)", [tenant])
                cursor = await conn.execute(_QUOTED.encode(), [tenant, TYPES, after, subject], binary=True)
                return [StoredRow(*row) for row in await cursor.fetchall()]
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable("database", f"the log does not answer: {type(error).__name__}", 1.0) from error


async def _listed(name: str, rows: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[bytes]:
    yield b',"' + name.encode() + b'":['
    first = True
    async for row in rows:
        yield (b"" if first else b",") + msgspec.json.encode(row)
        first = False
    yield b"]"


def _words(event: Any) -> dict[str, Any]:
    """Return the fields with words of a record, those that are left."""
    names: Iterable[str] = ("user", "prompt", "answer", "comment")
    values = {name: getattr(event, name, None) for name in names}
    said = {name: value for name, value in values.items() if value is not None and type(value) is not Erased}
    return {"request_id": event.request_id, **said} if said else {}
