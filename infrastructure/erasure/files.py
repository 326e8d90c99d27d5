"""Writes the tables behind read models anew, so that their files hold no byte of deleted rows.

A deleted row's bytes stay in its page, and its words in a full-text index, until the table is rewritten.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import AsyncConnection, Error, sql
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.kernel.errors import Unavailable
from projections.generations import Generation, drop_generation, generations
from projections.rebuild import holder
from projections.registry import PROJECTIONS
from projections.tables import physical_name

_PARTITION = """
SELECT c.oid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_partitioned_table p ON p.partrelid = i.inhparent
WHERE i.inhparent = %s::regclass AND satisfies_hash_partition(i.inhparent,
    (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'modulus (\\d+)'))[1]::int,
    (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'remainder (\\d+)'))[1]::int, %s::text)
"""


class TableFiles:
    """Knows the physical tables of projections; `owner_dsn` and `owner` connect as who owns them."""

    def __init__(self, owner_dsn: str, owner: AsyncEngine) -> None:
        self._dsn = owner_dsn
        self._owner = owner

    async def require_one_copy(self, projections: Sequence[str]) -> None:
        """Drop retired and abandoned copies; raises Unavailable while one is being built."""
        async with self._owner.begin() as conn:
            for name in projections:
                for copy in await generations(conn, name):
                    if copy.state == "active":
                        continue
                    if await holder(conn, copy) is not None:
                        raise Unavailable("erasure", f"projection '{name}' is being rebuilt", 5.0)
                    await drop_generation(conn, copy)

    async def rewrite(self, table: str, tenant: str) -> str:
        """Write the tenant's part of a read model's table anew; readers of that part wait meanwhile."""
        physical = await self._physical(table)
        return await self.vacuum(physical, tenant)

    async def vacuum(self, table: str, tenant: str) -> str:
        """Write a table, or the tenant's partition of it, and its indexes anew; returns what was done."""
        try:
            async with await AsyncConnection.connect(self._dsn, autocommit=True) as conn:
                row = await (await conn.execute(_PARTITION, [f'"{table}"', tenant])).fetchone()
                name = row[0] if row else f'"{table}"'
                await conn.execute(sql.SQL("VACUUM (FULL) ") + sql.SQL(name))
        except Error as error:
            raise Unavailable(
                "database", f"{table} was not rewritten: {type(error).__name__}", 2.0
            ) from error
        return f"{name.strip(chr(34))} and its indexes were written anew"

    async def _physical(self, table: str) -> str:
        projection = next(p for p in PROJECTIONS if table in {t.name for t in p.tables})
        async with self._owner.connect() as conn:
            active = [g for g in await generations(conn, projection.name) if g.state == "active"]
        if not active:
            raise Unavailable("projections", f"projection '{projection.name}' is not installed yet", 2.0)
        return _name(table, active[0])


def _name(table: str, generation: Generation) -> str:
    return physical_name(table, generation.version, generation.number)
