"""Carries out purges for tests, as a worker does, without a queue between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from domain.kernel.errors import Unavailable
from domain.memory.erasure_events import PurgeStarted
from domain.memory.purge import Purge
from domain.registry import event_registry
from infrastructure.erasure.desk import ErasureDesk
from infrastructure.jobs.connections import job_pool
from infrastructure.runtime import Endpoints, Runtime
from infrastructure.settings import Settings
from projections.memory.erasure_live import TYPES


@asynccontextmanager
async def erasure_desk(
    settings: Settings, where: Endpoints, *, reached: Callable[[str], Awaitable[None]] | None = None
) -> AsyncIterator[tuple[ErasureDesk, Runtime]]:
    """A desk with a runtime of its own, as a worker process has it."""
    runtime = Runtime(settings, where, event_registry(), name="eraser", control_types=TYPES)
    await runtime.open(doorbell=True)
    try:
        async with job_pool(where.system_dsn, size=2) as pool:
            desk = ErasureDesk(settings, runtime, pool, reached=reached)
            await desk.open()
            try:
                yield desk, runtime
            finally:
                await desk.close()
    finally:
        await runtime.close()


async def carry_out_purges(settings: Settings, where: Endpoints) -> None:
    """Run every purge that starts, until cancelled; begins anew after the database was too slow."""
    while True:
        with contextlib.suppress(Unavailable):
            await _carry_out(settings, where)


async def _carry_out(settings: Settings, where: Endpoints) -> None:
    async with erasure_desk(settings, where) as (desk, runtime):
        async for batch in runtime.tail.follow(0, types=[PurgeStarted.TYPE]):
            for envelope in batch.events:
                await until_done(desk, envelope.tenant, envelope.event.purge_id)


async def until_done(desk: ErasureDesk, tenant: str, purge_id: str) -> Purge:
    """Carry a purge out, again as long as it must wait for something, as the job does."""
    while True:
        try:
            return await desk.run(tenant, purge_id)
        except Unavailable:
            await asyncio.sleep(0.1)
