"""Short queries on the event store's database for stores, with one kind of error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.kernel.errors import Unavailable

Values = Sequence[Any] | Mapping[str, Any]


class Rows:
    """Runs one statement a transaction; `pool` connects as `aios_system`, which sees every tenant."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool

    async def all(self, query: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query. Raises Unavailable."""
        try:
            async with self._pool.connection() as conn:
                return await (await conn.execute(query.encode(), values)).fetchall()
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable("database", f"the database does not answer: {type(error).__name__}") from error

    async def number(self, query: str, values: Values = ()) -> int:
        """Return the one number that a query answers with."""
        rows = await self.all(query, values)
        return int(rows[0][0]) if rows and rows[0][0] is not None else 0

    async def change(self, statement: str, values: Values = ()) -> int:
        """Change rows and return how many."""
        try:
            async with self._pool.connection() as conn:
                return (await conn.execute(statement.encode(), values)).rowcount
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable("database", f"the database does not answer: {type(error).__name__}") from error
