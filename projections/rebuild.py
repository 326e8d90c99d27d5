"""Blue/green: a fresh copy replays the log beside the one that serves, catches up, and one transaction swaps.

Handlers are pure, so a replay has no side effects. The old copy stays for `roll_back` until the next rebuild
or until the runner's sweep finds it too old.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.kernel.errors import Conflict, NotFound
from projections.bookkeeping import CHANNEL
from projections.generations import (
    INSTALL_LOCK,
    Generation,
    activate,
    active_generation,
    create_generation,
    drop_generation,
    generations,
)
from projections.leases import Lease, kept, take
from projections.projection import Projection
from projections.projector import PAGE, Projector
from projections.tail import Tail

RETRY_SWAP_S = 0.5
# Readers wait behind the swap's lock on the views; the swap gives up long before PostgreSQL looks for a
# deadlock (1 s), so it is never a reader that fails.
_PATIENCE_FOR_CHECKPOINT = "2s"
_PATIENCE_FOR_VIEWS = "250ms"
_LOCK_NOT_AVAILABLE = "55P03"
_LEASED = text(
    "SELECT owner FROM projection_leases "
    "WHERE projection = :name AND generation = :number AND expires_at > clock_timestamp()"
)
_HOLD_CHECKPOINT = text(
    "SELECT position FROM projection_checkpoints WHERE projection = :name AND generation = :number FOR UPDATE"
)
logger = logging.getLogger(__name__)


async def rebuild(
    projection: Projection, *, tail: Tail, system: AsyncEngine, owner: AsyncEngine, worker: str
) -> Generation:
    """Replay a projection into a new generation and swap it in; returns it when reads see it.

    `worker` names this process and task uniquely. Raises Conflict while another worker rebuilds it.
    """
    async with owner.begin() as conn:
        await conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": INSTALL_LOCK})
        for old in await generations(conn, projection.name):
            await _clear(conn, old)
        generation = await create_generation(conn, projection)
        lease = await take(conn, generation, worker)
    if lease is None:
        raise Conflict(f"projection '{projection.name}' is being rebuilt; wait for it")
    await _promote_under(lease, projection, tail, system, owner)
    return generation


async def roll_back(
    projection: Projection, *, tail: Tail, system: AsyncEngine, owner: AsyncEngine, worker: str
) -> Generation:
    """Bring the generation before the active one back behind the views.

    It catches up first when its version is this code's; another version is shown as it stands, for the code
    that knows it. Raises NotFound when there is none, Conflict while another worker has it.
    """
    async with owner.begin() as conn:
        retired = [g for g in await generations(conn, projection.name) if g.state == "retired"]
        if not retired:
            raise NotFound(f"projection '{projection.name}' has no earlier generation to roll back to")
        target = max(retired, key=lambda generation: generation.retired_at or generation.created_at)
        lease = await take(conn, target, worker)
    if lease is None:
        raise Conflict(f"generation {target.number} of '{projection.name}' is in use; try again")
    await _promote_under(lease, projection, tail, system, owner)
    return target


async def sweep(owner: AsyncEngine, projections: Sequence[Projection], older_than: timedelta) -> int:
    """Drop copies retired for longer than an age, and abandoned builds; returns how many."""
    dropped = 0
    async with owner.begin() as conn:
        await conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": INSTALL_LOCK})
        now = (await conn.execute(text("SELECT now()"))).scalar_one()
        for projection in projections:
            for old in await generations(conn, projection.name):
                if now - (old.retired_at or old.created_at) < older_than or not await _idle(conn, old):
                    continue
                await drop_generation(conn, old)
                dropped += 1
    return dropped


async def _clear(conn: AsyncConnection, old: Generation) -> None:
    """Drop what an earlier rebuild left, unless someone works on it."""
    if old.state == "active":
        return
    worker = await holder(conn, old)
    if worker is not None:
        raise Conflict(f"projection '{old.projection}' is being rebuilt by {worker}; wait for it")
    await drop_generation(conn, old)


async def _idle(conn: AsyncConnection, old: Generation) -> bool:
    """Tell whether a copy is of no use: neither shown, nor worked on, nor newer than what is shown."""
    active = await active_generation(conn, old.projection)
    shown = active is not None and (active.number == old.number or active.version < old.version)
    return not shown and await holder(conn, old) is None


async def holder(conn: AsyncConnection, generation: Generation) -> str | None:
    """Return who works on a copy now, None when nobody does."""
    names = {"name": generation.projection, "number": generation.number}
    worker: str | None = (await conn.execute(_LEASED, names)).scalar_one_or_none()
    return worker


async def _promote_under(
    lease: Lease, projection: Projection, tail: Tail, system: AsyncEngine, owner: AsyncEngine
) -> None:
    projector = None
    if lease.generation.version == projection.version:
        projector = Projector(projection, lease, system)
    async with kept(system, lease):
        while True:
            if projector is not None:
                await projector.catch_up(tail)
            if await _swap(projector, projection, lease.generation, tail, owner):
                return
            await asyncio.sleep(RETRY_SWAP_S)


async def _swap(
    projector: Projector | None, projection: Projection, green: Generation, tail: Tail, owner: AsyncEngine
) -> bool:
    """Swap if the last stretch is short and the views are free within a moment; False to try again."""
    try:
        async with owner.begin() as conn:
            await conn.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE_FOR_CHECKPOINT}'")
            blue = await active_generation(conn, projection.name)
            if blue is not None and projector is not None:
                names = {"name": blue.projection, "number": blue.number}
                position = (await conn.execute(_HOLD_CHECKPOINT, names)).scalar_one()
                if position - projector.position > PAGE:
                    return False
                await projector.catch_up(tail, until=position)
            await conn.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE_FOR_VIEWS}'")
            await activate(conn, green)
            if projector is not None:
                payload = f"{projection.name}:{projector.position}"
                await conn.execute(text(f"SELECT pg_notify('{CHANNEL}', :payload)"), {"payload": payload})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            return False
        raise
    logger.info("projection %s serves generation %d", projection.name, green.number)
    return True
