"""Applies batches to one generation under a lease; an event that cannot be applied is parked, alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.kernel.events import Envelope
from projections.apply import apply_ops
from projections.coalesce import BadOp
from projections.idle import IdleAdvance
from projections.leases import Lease, advance
from projections.projection import HandlerFailed, Projection
from projections.tables import logical_name
from projections.tail import Tail, pages

ATTEMPTS = 3
PAGE = 2000
RETRY_S = 0.01
_POISON_SQLSTATES = ("22", "23", "54")  # data exception, constraint violation, a limit such as an index row's
_PARK = text(
    "INSERT INTO projection_parked (projection, generation, position, type, error, attempts) "
    "VALUES (:name, :number, :position, :type, :error, :attempts) "
    "ON CONFLICT (projection, generation, position) "
    "DO UPDATE SET error = excluded.error, attempts = projection_parked.attempts + excluded.attempts"
)
logger = logging.getLogger(__name__)


class Projector:
    """Writes one generation of one projection; `position` is how far it has come."""

    def __init__(
        self, projection: Projection, lease: Lease, system: AsyncEngine, idle: IdleAdvance | None = None
    ) -> None:
        self._idle = idle or IdleAdvance(system)
        self._projection = projection
        self._lease = lease
        self._system = system
        self.position = lease.position

    async def catch_up(self, tail: Tail, until: int | None = None, page: int = PAGE) -> None:
        """Apply events up to a position, or to the end of the log as it is when the reading gets there."""
        async with aclosing(pages(tail, self.position, page, self._projection.types, until)) as batches:
            async for batch in batches:
                upto = batch.upto if until is None else min(batch.upto, until)
                if upto > self.position:
                    await self.settle([event for event in batch.events if event.position <= upto], upto)

    async def skip(self, upto: int) -> None:
        """Move on to `upto` over events that are none of this projection's. Raises as `settle` does."""
        await self._idle.advance(self._lease, self.position, upto)
        self.position = upto

    async def settle(self, events: Sequence[Envelope[Any]], upto: int) -> None:
        """Apply a batch and move on to `upto`; rows and checkpoint commit together.

        A batch that fails is halved until the poison event stands alone; that one is tried ATTEMPTS times,
        parked and logged. Raises LostLease when another worker took over, and the database's error when it
        has nothing to do with the events.
        """
        try:
            await self._commit(events, upto)
        except (HandlerFailed, BadOp, DBAPIError) as error:
            if not is_poison(error):
                raise
            if len(events) == 1:
                await self._park_unless_it_works(events[0], upto, error)
                return
            half = len(events) // 2
            await self.settle(events[:half], events[half - 1].position)
            await self.settle(events[half:], upto)

    async def _commit(self, events: Sequence[Envelope[Any]], upto: int) -> None:
        ops = await self._projection.batch_ops(events)
        generation = self._lease.generation
        async with self._system.begin() as conn:
            await advance(conn, self._lease, self.position, upto)
            await apply_ops(conn, ops, generation.version, generation.number)
        self.position = upto

    async def _park_unless_it_works(self, event: Envelope[Any], upto: int, error: Exception) -> None:
        for attempt in range(1, ATTEMPTS):
            await asyncio.sleep(RETRY_S * attempt)
            try:
                await self._commit([event], upto)
            except (HandlerFailed, BadOp, DBAPIError) as again:
                if not is_poison(again):
                    raise
                error = again
            else:
                return
        problem = describe(error)
        async with self._system.begin() as conn:
            await advance(conn, self._lease, self.position, upto)
            await park(conn, self._lease, event, problem, ATTEMPTS)
        self.position = upto
        logger.error(
            "projection %s parked event %d (%s): %s; once mended run: aios projections retry %s",
            self._projection.name,
            event.position,
            event.type,
            problem,
            self._projection.name,
        )


async def park(
    conn: AsyncConnection, lease: Lease, event: Envelope[Any], problem: str, attempts: int
) -> None:
    """Put an event aside, with why it could not be applied."""
    await conn.execute(
        _PARK,
        {
            "name": lease.generation.projection,
            "number": lease.generation.number,
            "position": event.position,
            "type": event.type,
            "error": problem,
            "attempts": attempts,
        },
    )


def is_poison(error: Exception) -> bool:
    """Tell whether an error comes from an event rather than from the database's state."""
    if isinstance(error, DBAPIError):
        return str(getattr(error.orig, "sqlstate", None) or "").startswith(_POISON_SQLSTATES)
    return isinstance(error, HandlerFailed | BadOp)


def describe(error: Exception) -> str:
    """Say what went wrong without values, which may be personal data."""
    if isinstance(error, HandlerFailed):
        return error.problem
    if not isinstance(error, DBAPIError):
        return str(error)
    diagnostic = getattr(error.orig, "diag", None)
    places = [(name, getattr(diagnostic, f"{name}_name", None)) for name in ("table", "column", "constraint")]
    kind = f"{type(error.orig).__name__} ({getattr(error.orig, 'sqlstate', None)})"
    named = (f"{name} {logical_name(place)}" for name, place in places if place)
    return ", ".join([kind, *named])
