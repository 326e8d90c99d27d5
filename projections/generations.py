"""The generations of a projection: physical copies of its tables, of which one is active behind the views."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from projections.bookkeeping import BOOKKEEPING_DDL
from projections.ddl import create_tables, create_views, drop_tables, drop_views
from projections.projection import Projection

State = Literal["building", "active", "retired"]
INSTALL_LOCK = 0x50524F4A
_COLUMNS = "projection, generation, version, tables, state, created_at, activated_at, retired_at"


class Generation(msgspec.Struct, frozen=True):
    """One physical copy of a projection's tables; `tables` are their logical names."""

    projection: str
    number: int
    version: int
    tables: list[str]
    state: State
    created_at: datetime
    activated_at: datetime | None = None
    retired_at: datetime | None = None


async def install(owner: AsyncEngine, projections: Iterable[Projection]) -> None:
    """Create the bookkeeping, and the first generation of every projection that has none; repeatable.

    `owner` connects as the role that owns the tables. A projection whose version changed is left to rebuild.
    """
    async with owner.begin() as conn:
        await conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": INSTALL_LOCK})
        await conn.exec_driver_sql(BOOKKEEPING_DDL)
        for projection in projections:
            if await active_generation(conn, projection.name) is None:
                generation = await create_generation(conn, projection)
                await activate(conn, generation)


async def active_generation(conn: AsyncConnection, name: str) -> Generation | None:
    """Return the generation that the views show, None before the projection was installed."""
    found = await generations(conn, name)
    return next((generation for generation in found if generation.state == "active"), None)


async def generations(conn: AsyncConnection, name: str) -> list[Generation]:
    """Return every generation of a projection that still has tables, oldest first."""
    rows = await conn.execute(
        text(
            f"SELECT {_COLUMNS} FROM projection_generations "
            "WHERE projection = :name AND state <> 'dropped' ORDER BY generation"
        ),
        {"name": name},
    )
    return [Generation(*row) for row in rows]


async def create_generation(conn: AsyncConnection, projection: Projection) -> Generation:
    """Create a generation's empty tables, in state `building` at position 0."""
    row = await conn.execute(
        text(
            "INSERT INTO projection_generations (projection, generation, version, tables, state) "
            "SELECT :name, coalesce(max(generation), 0) + 1, :version, :tables, 'building' "
            f"FROM projection_generations WHERE projection = :name RETURNING {_COLUMNS}"
        ),
        {
            "name": projection.name,
            "version": projection.version,
            "tables": [table.name for table in projection.tables],
        },
    )
    generation = Generation(*row.one())
    await conn.execute(
        text(
            "INSERT INTO projection_checkpoints (projection, generation, version) VALUES (:name, :number, :v)"
        ),
        {"name": projection.name, "number": generation.number, "v": projection.version},
    )
    await _run(conn, create_tables(projection, generation.number))
    return generation


async def activate(conn: AsyncConnection, generation: Generation) -> None:
    """Put a generation behind the views and retire the active one, which can no longer be written to."""
    active = await active_generation(conn, generation.projection)
    names = {"name": generation.projection, "number": generation.number}
    if active is not None:
        await _run(conn, drop_views(active.tables))
        await _retire(conn, active)
    await _run(conn, create_views(generation.tables, generation.version, generation.number))
    await conn.execute(
        text(
            "UPDATE projection_generations SET state = 'active', activated_at = now(), retired_at = NULL "
            "WHERE projection = :name AND generation = :number"
        ),
        names,
    )


async def drop_generation(conn: AsyncConnection, generation: Generation) -> None:
    """Drop a generation's tables; only its number is kept. The active one cannot be dropped (ValueError)."""
    if generation.state == "active":
        raise ValueError(f"generation {generation.number} of {generation.projection} is active")
    await _run(conn, drop_tables(generation.tables, generation.version, generation.number))
    names = {"name": generation.projection, "number": generation.number}
    for change in (
        "DELETE FROM projection_parked",
        "DELETE FROM projection_leases",
        "DELETE FROM projection_checkpoints",
        "UPDATE projection_generations SET state = 'dropped'",
    ):
        await conn.execute(text(f"{change} WHERE projection = :name AND generation = :number"), names)


async def drop_retired(owner: AsyncEngine, name: str, older_than: timedelta = timedelta(0)) -> int:
    """Drop the generations retired for longer than an age and return how many; rollback ends with them."""
    async with owner.begin() as conn:
        now = (await conn.execute(text("SELECT now()"))).scalar_one()
        old = [
            generation
            for generation in await generations(conn, name)
            if generation.retired_at is not None and now - generation.retired_at >= older_than
        ]
        for generation in old:
            await drop_generation(conn, generation)
    return len(old)


async def _retire(conn: AsyncConnection, generation: Generation) -> None:
    names = {"name": generation.projection, "number": generation.number}
    for statement in (
        "UPDATE projection_generations SET state = 'retired', retired_at = now()",
        "UPDATE projection_checkpoints SET fencing = fencing + 1",
        "UPDATE projection_leases SET expires_at = now()",
    ):
        await conn.execute(text(f"{statement} WHERE projection = :name AND generation = :number"), names)


async def _run(conn: AsyncConnection, statements: Iterable[str]) -> None:
    for statement in statements:
        await conn.exec_driver_sql(statement)
