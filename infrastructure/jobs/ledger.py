"""The ledger of ticks in PostgreSQL: each slot of a schedule once, however many schedulers run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.kernel.errors import Unavailable

KEPT_FOR = "30 days"
Decide = Callable[[datetime], Sequence[datetime]]
Append = Callable[[datetime], Awaitable[int]]

_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('schedule:' || %s, 0))"
_LAST = "SELECT max(slot) FROM schedule_ticks WHERE schedule = %s"
_RECORD = """
INSERT INTO schedule_ticks (schedule, slot, position) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING 1
"""
_FORGET = f"""
DELETE FROM schedule_ticks WHERE schedule = %(schedule)s AND slot < now() - interval '{KEPT_FOR}'
AND slot < (SELECT max(slot) FROM schedule_ticks WHERE schedule = %(schedule)s)
"""


class TickLedger:
    """Records ticks on a pool that connects as `aios_system`."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool

    async def tick(self, schedule: str, first: datetime, decide: Decide, append: Append) -> datetime:
        """Tick what is due of a schedule and return its newest slot in the ledger.

        `decide(last)` names the slots to tick, `append(slot)` stores the tick in the log, under a command id
        made of the slot, and returns its position. The ledger's row comes after, so a crash in between is
        made good by the next scheduler. A schedule seen for the first time starts at the slot `first`, which
        it does not tick. Raises Unavailable when the database does not answer.
        """
        try:
            async with self._pool.connection() as conn:
                await conn.execute(_ALONE, [schedule])
                last = await self._last(conn, schedule)
                if last is None:
                    await conn.execute(_RECORD, [schedule, first, None])
                    return first
                for slot in decide(last):
                    position = await append(slot)
                    await conn.execute(_RECORD, [schedule, slot, position])
                    await conn.execute(_FORGET, {"schedule": schedule})
                    last = slot
                return last
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable(
                "database", f"the ledger does not answer: {type(error).__name__}", 1.0
            ) from error

    @staticmethod
    async def _last(conn: AsyncConnection, schedule: str) -> datetime | None:
        row = await (await conn.execute(_LAST, [schedule])).fetchone()
        return row[0] if row else None
