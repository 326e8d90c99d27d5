"""Moves the checkpoints of projections that had nothing to do, many in one transaction.

Most events concern one projection; the others only have to say that they have seen them. Their tasks wake
together, so one commit serves them all instead of one each.
"""

from __future__ import annotations

import asyncio

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from projections.bookkeeping import CHANNEL
from projections.leases import Lease, LostLease

_ADVANCE_ALL = text(
    "WITH moved AS (UPDATE projection_checkpoints c "
    "SET position = s.position, updated_at = clock_timestamp() "
    "FROM json_to_recordset(CAST(:steps AS json)) "
    "AS s(name text, number int, fencing bigint, expected bigint, position bigint) "
    "WHERE c.projection = s.name AND c.generation = s.number AND c.fencing = s.fencing "
    "AND c.position = s.expected RETURNING c.projection, c.position) "
    "SELECT projection, set_config('synchronous_commit', 'off', true), "
    f"pg_notify('{CHANNEL}', projection || ':' || position) FROM moved"
)


class _Step(msgspec.Struct, frozen=True):
    name: str
    number: int
    fencing: int
    expected: int
    position: int


class IdleAdvance:
    """Collects steps while a commit is under way and commits them together with the next."""

    def __init__(self, system: AsyncEngine) -> None:
        self._system = system
        self._waiting: list[tuple[_Step, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def advance(self, lease: Lease, expected: int, position: int) -> None:
        """Move an active generation's checkpoint. Raises as `projections.leases.advance` does."""
        moved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        generation = lease.generation
        step = _Step(generation.projection, generation.number, lease.fencing, expected, position)
        self._waiting.append((step, moved))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        await moved

    async def _flush(self) -> None:
        while self._waiting:
            steps, self._waiting = self._waiting, []
            moved: set[str] = set()
            problem: Exception = LostLease("this projection is no longer at work under this lease")
            try:
                moved = await self._commit([step for step, _ in steps])
            except (SQLAlchemyError, OSError) as error:
                problem = error
            finally:
                _resolve(steps, moved, problem)

    async def _commit(self, steps: list[_Step]) -> set[str]:
        async with self._system.begin() as conn:
            rows = await conn.execute(_ADVANCE_ALL, {"steps": msgspec.json.encode(steps).decode()})
            return {row.projection for row in rows}


def _resolve(steps: list[tuple[_Step, asyncio.Future[None]]], moved: set[str], otherwise: Exception) -> None:
    for step, waiting in steps:
        if waiting.done():
            continue
        if step.name in moved:
            waiting.set_result(None)
        else:
            waiting.set_exception(otherwise)
