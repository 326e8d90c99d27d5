"""Finds the record of a request: its place by the read model, the record itself in the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from sqlalchemy.ext.asyncio import AsyncConnection

from application.ports import EventLog
from domain.kernel.request_record import RequestRecorded
from domain.usage.correction import Recorded
from projections.usage.request_queries import request_position

Reading = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]
Barrier = Callable[[], Awaitable[None]]


def record_finder(
    log: EventLog, reading: Reading, barrier: Barrier
) -> Callable[[str, str], Awaitable[Recorded | None]]:
    """Return `find(tenant, request_id)`, which answers as of every request that had ended."""

    async def find(tenant: str, request_id: str) -> Recorded | None:
        await barrier()
        async with reading(tenant) as conn:
            position = await request_position(conn, request_id)
        if position is None:
            return None
        async for envelope in log.read(after=position - 1, types=[RequestRecorded.TYPE], tenant=tenant):
            return Recorded(envelope.position, envelope.event)
        return None

    return find
