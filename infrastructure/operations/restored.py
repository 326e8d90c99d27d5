"""Carries out again what a restored log does not know to be erased, before anything is served from it."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from application.processes.erasure.ports import LedgerEntry
from domain.kernel.errors import Unavailable
from domain.registry import event_registry
from infrastructure.erasure.desk import ErasureDesk
from infrastructure.erasure.ledger import PurgeLedger, ledger_path
from infrastructure.jobs.connections import job_pool
from infrastructure.operations.projector import project
from infrastructure.runtime import Endpoints, Runtime
from infrastructure.settings import Settings
from projections.memory.erasure_live import TYPES

ATTEMPTS = 60
logger = logging.getLogger(__name__)


async def redo_purges(settings: Settings, where: Endpoints) -> int:
    """Carry out every purge of the ledger that the log does not have as completed; returns how many."""
    if not PurgeLedger(ledger_path(settings)).entries():
        return 0
    runtime = Runtime(settings, where, event_registry(), name="redo", control_types=TYPES)
    await runtime.open(doorbell=True)
    try:
        async with job_pool(where.system_dsn, size=2) as pool:
            desk = ErasureDesk(settings, runtime, pool)
            await desk.open()
            try:
                entries = await desk.unknown()
                await _redo(desk, entries, settings, where)
            finally:
                await desk.close()
    finally:
        await runtime.close()
    return len(entries)


async def _redo(desk: ErasureDesk, entries: list[LedgerEntry], settings: Settings, where: Endpoints) -> None:
    """Project meanwhile, for read models are what is erased from."""
    if not entries:
        return
    projector = asyncio.create_task(project(settings, where))
    try:
        for entry in entries:
            logger.warning("the log was restored from before purge %s: erasing again", entry.purge_id)
            await _until_done(desk, entry)
    finally:
        projector.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await projector


async def _until_done(desk: ErasureDesk, entry: LedgerEntry) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await desk.redo(entry)
        except Unavailable as error:
            if attempt == ATTEMPTS:
                raise
            logger.warning("purge %s: %s; trying again", entry.purge_id, error.message)
            await asyncio.sleep(error.retry_after_s or 1.0)
    return None
