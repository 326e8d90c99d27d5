"""Puts vectors of large tenants into the index, in the background and a few at a time.

Writers of memories do not wait for the graph: it costs more than everything else about a memory. Searches
compare what is not in it yet one by one.
"""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy import bindparam, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from projections.generations import active_generation
from projections.memory.tables import DIMENSIONS, memory_vectors
from projections.memory.vectors import MEMORY_VECTORS
from projections.statements import quote
from projections.tables import physical_name

EXACT_UP_TO = 10_000
"""Tenants with up to so many vectors are searched exactly."""
PENDING_UP_TO = 1000
"""In a tenant with an index, so many vectors may stay out of it."""
CHUNK = 200
LOOK_EVERY_S = 30.0
_LOCK = 0x4D454D56
_PENDING = text(
    "SELECT tenant, count(*) FROM memory_vectors WHERE NOT indexed AND dimension IN :dimensions "
    "GROUP BY tenant HAVING count(*) > :few"
).bindparams(bindparam("dimensions", expanding=True))
_HAS_INDEX = text("SELECT EXISTS (SELECT FROM memory_vectors WHERE tenant = :tenant AND indexed)")
log = structlog.get_logger("memory.indexing")


async def keep_indexed(system: AsyncEngine) -> None:
    """Look every half minute for tenants whose vectors belong into the index; never returns."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            await index_pending(system)
        except SQLAlchemyError as error:
            log.warning("vectors not indexed", reason=type(error).__name__)


async def index_pending(
    system: AsyncEngine, *, exact_up_to: int = EXACT_UP_TO, pending_up_to: int = PENDING_UP_TO
) -> int:
    """Index what belongs into the index now, and return how many vectors that were. One process does it."""
    async with system.connect() as conn:
        if not await _alone(conn):
            return 0
        rows = await conn.execute(_PENDING, {"few": pending_up_to, "dimensions": DIMENSIONS})
        pending = [(row[0], row[1]) for row in rows]
        done = 0
        for tenant, count in pending:
            grown = (await conn.execute(_HAS_INDEX, {"tenant": tenant})).scalar_one()
            if grown or count > exact_up_to:
                done += await _index(conn, tenant)
        await conn.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
        await conn.commit()
    if done:
        log.info("vectors indexed", count=done)
    return done


async def _alone(conn: AsyncConnection) -> bool:
    held = await conn.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK})
    alone = bool(held.scalar_one())
    if not alone:
        await conn.rollback()
    return alone


async def _index(conn: AsyncConnection, tenant: str) -> int:
    done = 0
    while True:
        active = await active_generation(conn, MEMORY_VECTORS.name)
        if active is None:
            return done
        table = quote(physical_name(memory_vectors.name, active.version, active.number))
        chunk = await conn.execute(
            text(
                f"UPDATE {table} SET indexed = true WHERE tenant = :tenant AND memory_id IN "
                f"(SELECT memory_id FROM {table} WHERE tenant = :tenant AND NOT indexed "
                "LIMIT :chunk FOR UPDATE SKIP LOCKED)"
            ),
            {"tenant": tenant, "chunk": CHUNK},
        )
        await conn.commit()
        done += chunk.rowcount
        if chunk.rowcount < CHUNK:
            return done
        await asyncio.sleep(0)
