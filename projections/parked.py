"""Parked events: what a projection could not digest, and a second chance once the cause is mended."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from projections.apply import apply_ops
from projections.coalesce import BadOp
from projections.generations import Generation, active_generation
from projections.projection import HandlerFailed, Projection
from projections.projector import describe, is_poison
from projections.tail import Tail

_LIST = text(
    "SELECT position, type, error, attempts, parked_at FROM projection_parked "
    "WHERE projection = :name AND generation = :number ORDER BY position"
)
# Taking the checkpoint's lock first keeps a retry out of the runner's way, and out of a swap's.
_HOLD = text(
    "SELECT 1 FROM projection_checkpoints WHERE projection = :name AND generation = :number FOR UPDATE"
)
_DELETE = text(
    "DELETE FROM projection_parked "
    "WHERE projection = :name AND generation = :number AND position = :position RETURNING 1"
)
_FAILED_AGAIN = text(
    "UPDATE projection_parked SET attempts = attempts + 1, error = :error "
    "WHERE projection = :name AND generation = :number AND position = :position"
)


class ParkedEvent(msgspec.Struct, frozen=True):
    """An event put aside; `error` names the mistake and its place, never a value."""

    position: int
    type: str
    error: str
    attempts: int
    parked_at: datetime


class Retried(msgspec.Struct, frozen=True):
    """What a retry achieved."""

    applied: int
    still_parked: int


async def list_parked(system: AsyncEngine, name: str) -> list[ParkedEvent]:
    """Return the events that the active generation of a projection has parked, oldest first."""
    async with system.connect() as conn:
        active = await active_generation(conn, name)
        if active is None:
            return []
        rows = await conn.execute(_LIST, {"name": name, "number": active.number})
        return [ParkedEvent(*row) for row in rows]


async def retry_parked(projection: Projection, *, system: AsyncEngine, tail: Tail) -> Retried:
    """Apply a projection's parked events again, each in its own transaction, oldest first.

    They are applied after what came later; where order matters, rebuild instead.
    """
    applied = 0
    parked = await list_parked(system, projection.name)
    for event in parked:
        applied += await _retry(projection, event.position, system, tail)
    return Retried(applied, len(parked) - applied)


async def _retry(projection: Projection, position: int, system: AsyncEngine, tail: Tail) -> bool:
    batch = await tail.read_batch(position - 1, 1)
    try:
        ops = await projection.batch_ops(batch.events)
        async with system.begin() as conn:
            active = await _held(conn, projection)
            names = {"name": projection.name, "number": active.number, "position": position}
            if (await conn.execute(_DELETE, names)).first() is None:
                return False
            await apply_ops(conn, ops, active.version, active.number)
    except (HandlerFailed, BadOp, DBAPIError) as error:
        if not is_poison(error):
            raise
        async with system.begin() as conn:
            active = await _held(conn, projection)
            names = {"name": projection.name, "number": active.number, "position": position}
            await conn.execute(_FAILED_AGAIN, {**names, "error": describe(error)})
        return False
    return True


async def _held(conn: AsyncConnection, projection: Projection) -> Generation:
    """Return the active generation with its checkpoint locked, so that it stays the active one."""
    while True:
        before = await active_generation(conn, projection.name)
        if before is None:
            raise LookupError(f"projection '{projection.name}' is not installed")
        await conn.execute(_HOLD, {"name": before.projection, "number": before.number})
        after = await active_generation(conn, projection.name)
        if after is not None and after.number == before.number:
            return after
