"""Leases: one worker at a time for a generation, and a checkpoint that only this worker can move.

The lease keeps others idle; the fencing number on the checkpoint keeps them out, even a worker that slept
through the end of its lease. All times are the database's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from projections.bookkeeping import CHANNEL
from projections.generations import Generation

LEASE_S = 8.0
RENEW_S = 2.0

_TAKE = text(
    "INSERT INTO projection_leases AS held (projection, generation, owner, fencing, expires_at) "
    "VALUES (:name, :number, :owner, 0, clock_timestamp() + make_interval(secs => :ttl)) "
    "ON CONFLICT (projection, generation) DO UPDATE "
    "SET owner = excluded.owner, expires_at = excluded.expires_at "
    "WHERE held.expires_at <= clock_timestamp() OR held.owner = excluded.owner RETURNING 1"
)
_FENCE = text(
    "WITH fenced AS (UPDATE projection_checkpoints SET fencing = fencing + 1 "
    "WHERE projection = :name AND generation = :number RETURNING fencing, position), "
    "marked AS (UPDATE projection_leases SET fencing = fenced.fencing FROM fenced "
    "WHERE projection = :name AND generation = :number) "
    "SELECT fencing, position FROM fenced"
)
_RENEW = text(
    "UPDATE projection_leases SET expires_at = clock_timestamp() + make_interval(secs => :ttl) "
    "WHERE projection = :name AND generation = :number AND owner = :owner AND fencing = :fencing "
    "AND expires_at > clock_timestamp() RETURNING 1"
)
_RELEASE = text(
    "UPDATE projection_leases SET expires_at = clock_timestamp() "
    "WHERE projection = :name AND generation = :number AND owner = :owner AND fencing = :fencing"
)
# Commits need no flush of their own: the rows and the checkpoint are lost or kept together, and the log has
# the events. A worker that is stopped half way must not hold the checkpoint's lock for ever.
_ADVANCE = text(
    "WITH moved AS (UPDATE projection_checkpoints SET position = :position, updated_at = clock_timestamp() "
    "WHERE projection = :name AND generation = :number AND fencing = :fencing AND position = :expected "
    "RETURNING 1) "
    "SELECT set_config('synchronous_commit', 'off', true), "
    "set_config('idle_in_transaction_session_timeout', '10s', true), "
    f"CASE WHEN :live THEN pg_notify('{CHANNEL}', :payload) END FROM moved"
)


class LostLease(Exception):
    """Another worker has this generation now, or it is no longer the active one; nothing was written."""


class Lease(msgspec.Struct, frozen=True):
    """The right to move one generation's checkpoint, which stood at `position` when the lease was taken."""

    generation: Generation
    owner: str
    fencing: int
    position: int


async def acquire(
    engine: AsyncEngine, generation: Generation, owner: str, ttl_s: float = LEASE_S
) -> Lease | None:
    """Take the lease of a generation, or return None while another owner holds it."""
    async with engine.begin() as conn:
        return await take(conn, generation, owner, ttl_s)


async def take(
    conn: AsyncConnection, generation: Generation, owner: str, ttl_s: float = LEASE_S
) -> Lease | None:
    """Do as `acquire` in the caller's transaction."""
    names = {"name": generation.projection, "number": generation.number}
    if (await conn.execute(_TAKE, {**names, "owner": owner, "ttl": ttl_s})).first() is None:
        return None
    fenced = (await conn.execute(_FENCE, names)).first()
    return Lease(generation, owner, fenced.fencing, fenced.position) if fenced else None


@asynccontextmanager
async def kept(
    engine: AsyncEngine, lease: Lease, ttl_s: float = LEASE_S, every_s: float = RENEW_S
) -> AsyncIterator[None]:
    """Renew the lease while the body runs and give it back at its end.

    Cancels the body and raises LostLease when the lease is gone; other errors of the body pass as they are.
    """
    over = asyncio.Event()  # a driver can swallow the cancellation that arrives together with its answer
    try:
        async with asyncio.TaskGroup() as group:
            renewal = group.create_task(_renew(engine, lease, ttl_s, every_s, over))
            try:
                yield
            finally:
                over.set()
                renewal.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        with suppress(SQLAlchemyError, OSError):
            async with engine.begin() as conn:
                await conn.execute(_RELEASE, _of(lease))


async def _renew(
    engine: AsyncEngine, lease: Lease, ttl_s: float, every_s: float, over: asyncio.Event
) -> None:
    while not over.is_set():
        await asyncio.sleep(every_s)
        async with engine.begin() as conn:
            if (await conn.execute(_RENEW, {**_of(lease), "ttl": ttl_s})).first() is None:
                raise LostLease(f"the lease of {lease.generation.projection} is gone")


async def advance(conn: AsyncConnection, lease: Lease, expected: int, position: int) -> None:
    """Move the checkpoint in the caller's transaction and tell waiters at its commit.

    Call it first: it locks the checkpoint. Raises LostLease unless it stands where this worker left it.
    """
    moved = await conn.execute(
        _ADVANCE,
        {
            **_of(lease),
            "expected": expected,
            "position": position,
            "live": lease.generation.state == "active",
            "payload": f"{lease.generation.projection}:{position}",
        },
    )
    if moved.first() is None:
        raise LostLease(f"{lease.generation.projection} is no longer at {expected} under this lease")


def _of(lease: Lease) -> dict[str, str | int]:
    return {
        "name": lease.generation.projection,
        "number": lease.generation.number,
        "owner": lease.owner,
        "fencing": lease.fencing,
    }
