"""The projector process: keeps read models up to date and writes anchors of the log outside the database."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError

from domain.kernel.errors import AiosError, Unavailable
from domain.registry import event_registry
from infrastructure.database.engines import with_options
from infrastructure.embeddings.configured import configured_embeddings
from infrastructure.erasure.ledger import require_redone
from infrastructure.event_store import anchors
from infrastructure.event_store.tail import Doorbell
from infrastructure.memory.indexing import keep_indexed
from infrastructure.memory.reembedding import follow_model
from infrastructure.runtime import Endpoints, Runtime
from infrastructure.settings import Settings
from infrastructure.telemetry.metrics import Metrics
from projections.bookkeeping import WANTED_CHANNEL
from projections.lag import list_projections
from projections.memory.vectors import with_embeddings
from projections.registry import PROJECTIONS
from projections.runner import Runner

ANCHOR_EVERY_S = 30.0
MEASURE_EVERY_S = 5.0
SHORT_LISTS = "-c gin_pending_list_limit=256kB"
"""Every search by words reads through what its index has not sorted in yet, by default up to 4 MB."""
log = structlog.get_logger("projector")


def anchor_path(settings: Settings) -> Path:
    """Return the file of anchors, outside the database."""
    return settings.data_dir / "audit" / "anchors.jsonl"


async def run_projector(settings: Settings, where: Endpoints) -> None:
    """Project until cancelled. Raises Unavailable for a log that was restored from before a purge."""
    await require_redone(settings, where)
    await project(settings, where)


async def project(settings: Settings, where: Endpoints) -> None:
    """Project until cancelled."""
    runtime = Runtime(settings, where, event_registry(), name="projector")
    await runtime.open(doorbell=True)
    system = runtime.engine(with_options(where.system_dsn, SHORT_LISTS), size=8)
    owner = runtime.engine(where.owner_dsn, size=2)
    embedder = configured_embeddings(settings)
    projections = with_embeddings(PROJECTIONS, embedder)
    runner = Runner(projections, runtime.tail, system=system, owner=owner)
    metrics = Metrics()

    async def measure() -> None:
        while True:
            await asyncio.sleep(MEASURE_EVERY_S)
            try:
                for standing in await list_projections(system, runtime.tail, PROJECTIONS):
                    metrics.set_projection_lag(standing.name, standing.lag_events, standing.lag_seconds)
            except (DBAPIError, AiosError) as error:
                log.warning("lag not measured", reason=type(error).__name__)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run())
            group.create_task(heed(where.system_dsn, runner))
            group.create_task(_anchor(runtime, anchor_path(settings)))
            group.create_task(measure())
            group.create_task(keep_indexed(system))
            group.create_task(follow_model(projections, embedder, runtime.tail, system=system, owner=owner))
    finally:
        await embedder.aclose()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(runtime.close(), 10.0)


async def heed(dsn: str, runner: Runner) -> None:
    """Hurry a runner whenever somebody waits for a read model, until cancelled."""
    doorbell = Doorbell(dsn, WANTED_CHANNEL)
    await doorbell.start()
    try:
        await doorbell.at_each_ring(runner.hurry)
    finally:
        await doorbell.close()


async def _anchor(runtime: Runtime, path: Path) -> None:
    """Write the head down whenever it has moved, and once more at the end."""
    known = await asyncio.to_thread(anchors.read, path)
    written = known[-1].position if known else 0
    while True:
        try:
            position, chain = await runtime.reader.head_and_chain()
            if position > written:
                await asyncio.to_thread(anchors.write, path, position, chain)
                written = position
        except Unavailable as error:
            log.warning("no anchor written", reason=error.message)
        await asyncio.sleep(ANCHOR_EVERY_S)
