"""The log's key epoch: one number beside the head that grows whenever data keys are retired or destroyed.

Committers read it under the head's lock and readers with the head, so from the moment it has grown no process
seals or opens anything with a key that it remembers from before.
"""

from __future__ import annotations

from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.kernel.errors import Unavailable

_RAISE = "UPDATE log_head SET key_epoch = key_epoch + 1 WHERE id = 1 RETURNING position"


class KeyFence:
    """Raises the epoch; `pool` connects as `aios_system`."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool

    async def __call__(self) -> int:
        """Return the position of the last event that was sealed under an older epoch. Raises Unavailable."""
        try:
            async with self._pool.connection() as conn:
                row = await (await conn.execute(_RAISE)).fetchone()
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable("database", f"the event log does not answer: {error}", 1.0) from error
        return int(row[0]) if row else 0
