"""Remembers which jobs were handed to the queue and which are done, so that none is lost and none repeated.

A row is `handed` from the moment the outbox enqueued the job; what stays so for too long is enqueued again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.kernel.errors import Unavailable
from infrastructure.jobs.job import JobRef

KEPT_FOR = "7 days"
FIRST_PATIENCE_S = 120
LONGEST_PATIENCE_S = 3600
PAGE = 500

_HAND = """
INSERT INTO inbox (job, position, correlation)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[]) ON CONFLICT DO NOTHING
"""
_STATE = "SELECT state = 'done' FROM inbox WHERE job = %s AND position = %s"
_END = """
INSERT INTO inbox (job, position, correlation, state, done_at, error) VALUES (%s, %s, %s, %s, now(), %s)
ON CONFLICT (job, position) DO UPDATE
SET state = excluded.state, done_at = excluded.done_at, error = excluded.error WHERE inbox.state <> 'done'
"""
_POSTPONE = """
INSERT INTO inbox (job, position, correlation, not_before) VALUES (%s, %s, %s, %s)
ON CONFLICT (job, position) DO UPDATE SET not_before = excluded.not_before, deliveries = 1
WHERE inbox.state = 'handed'
"""
# The pause before a job is handed over again doubles each time; a postponed one comes when it is due.
_OVERDUE = f"""
UPDATE inbox SET handed_at = now(), not_before = NULL, deliveries = deliveries + 1
WHERE (job, position) IN (
    SELECT job, position FROM inbox
    WHERE state = 'handed' AND coalesce(not_before, '-infinity') <= now()
      AND (not_before IS NOT NULL OR handed_at < coalesce(%s::timestamptz, now() - make_interval(
        secs => least({FIRST_PATIENCE_S} * 2.0 ^ least(deliveries - 1, 10), {LONGEST_PATIENCE_S}))))
    ORDER BY handed_at LIMIT {PAGE} FOR UPDATE SKIP LOCKED)
RETURNING job, position, correlation
"""
_FORGET = f"DELETE FROM inbox WHERE state = 'done' AND done_at < now() - interval '{KEPT_FOR}'"


class Inbox:
    """The worker's side: what is done already, and what is done now."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool

    async def is_done(self, ref: JobRef) -> bool:
        """Tell whether a job was done before. Raises Unavailable when the database does not answer."""
        async with self._connection() as conn:
            row = await (await conn.execute(_STATE, [ref.job, ref.position])).fetchone()
        return bool(row and row[0])

    async def done(self, ref: JobRef) -> None:
        """Record that a job is done; repeats of it are skipped from now on."""
        await self._end(ref, "done", None)

    async def postpone(self, ref: JobRef, until: datetime) -> None:
        """Have a job handed over again at a time; repeats that are in the queue by then may come before."""
        async with self._connection() as conn:
            await conn.execute(_POSTPONE, [ref.job, ref.position, ref.correlation, until])

    async def failed(self, ref: JobRef, error: str) -> None:
        """Record that a job was given up; `error` holds no personal data."""
        await self._end(ref, "failed", error)

    async def _end(self, ref: JobRef, state: str, error: str | None) -> None:
        async with self._connection() as conn:
            await conn.execute(_END, [ref.job, ref.position, ref.correlation, state, error])

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._pool.connection() as conn:
                yield conn
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable(
                "database", f"the inbox does not answer: {type(error).__name__}", 1.0
            ) from error


async def hand_over(conn: AsyncConnection, refs: Sequence[JobRef]) -> None:
    """Record in the caller's transaction that jobs were enqueued; those known already stay as they are."""
    columns = [[r.job for r in refs], [r.position for r in refs], [r.correlation for r in refs]]
    await conn.execute(_HAND, columns)


async def take_overdue(conn: AsyncConnection, handed_before: datetime | None = None) -> list[JobRef]:
    """Return jobs to enqueue again, at most 500: those handed over before a time, or long ago without one."""
    rows = await (await conn.execute(_OVERDUE, [handed_before])).fetchall()
    return [JobRef(*row) for row in rows]


async def forget_done(conn: AsyncConnection) -> None:
    """Delete what was done more than a week ago; the log's command ids still keep its effects unique."""
    await conn.execute(_FORGET)
