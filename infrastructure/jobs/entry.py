"""The product's background processes as `aios worker`, `aios outbox` and `aios scheduler` run them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from application.orchestration.specs import ProviderSpecs
from application.processes.erasure.cleanup import clean_up
from application.workflows.running import RunPorts, WorkflowHandler
from domain.registry import event_registry
from domain.workflows.catalogue import MEMORY_TTL_CLEANUP, MODEL_HEALTH_CHECK
from infrastructure.billing.background import BillingWork
from infrastructure.erasure.desk import ErasureDesk
from infrastructure.jobs.connections import job_pool
from infrastructure.jobs.credentials import credentials_job
from infrastructure.jobs.health import SdkProber, model_health_check
from infrastructure.jobs.locks import AdvisoryLocks
from infrastructure.jobs.outbox import merged
from infrastructure.jobs.processes import THREADS, run_outbox, run_scheduler, run_worker, stop_on_signals
from infrastructure.jobs.product import ROUTES, workflow_jobs
from infrastructure.jobs.purges import purge_job
from infrastructure.memory.mirroring import mirror_jobs, mirror_routes
from infrastructure.runtime import Endpoints, Runtime
from infrastructure.settings import Settings
from infrastructure.telemetry.metrics import Metrics
from infrastructure.webhooks.jobs import webhook_jobs
from infrastructure.webhooks.sender import HttpSender
from projections.memory.erasure_live import TYPES

CONNECTIONS_A_THREAD = 3
CLOSE_WITHIN_S = 2.0


async def worker(settings: Settings, where: Endpoints) -> None:
    """Do jobs until SIGTERM or SIGINT; ends within twenty seconds of the first of them."""
    stop = stop_on_signals()
    async with (
        _runtime(settings, where, "worker") as runtime,
        aclosing(HttpSender(allow_private=settings.egress == "private")) as sender,
        job_pool(where.system_dsn, size=CONNECTIONS_A_THREAD * THREADS) as pool,
        _erasure_desk(settings, runtime, pool) as desk,
        AsyncExitStack() as stack,
    ):
        billing = BillingWork(settings, runtime, runtime.engine(where.system_dsn, size=2), _clock)
        stack.push_async_callback(billing.close)
        ports = RunPorts(runtime.log, AdvisoryLocks(pool), _clock)
        await run_worker(
            redis_url=where.redis_url,
            jobs=[
                *workflow_jobs(_workflow_handlers(settings, runtime, billing, desk), ports),
                *billing.jobs(),
                credentials_job(runtime.shredder),
                purge_job(desk),
                *webhook_jobs(runtime.log, runtime.tail.at, sender, _clock),
                *mirror_jobs(settings, runtime.log),
            ],
            tail=runtime.tail,
            pool=pool,
            stop=stop,
            observe=Metrics().observe_job,
        )


async def outbox(settings: Settings, where: Endpoints) -> None:
    """Enqueue what the log asks for, until cancelled."""
    async with _runtime(settings, where, "outbox", doorbell=True) as runtime:
        await run_outbox(
            redis_url=where.redis_url,
            dsn=where.system_dsn,
            tail=runtime.tail,
            routes=merged(ROUTES, mirror_routes(settings)),
        )


async def scheduler(settings: Settings, where: Endpoints) -> None:
    """Tick schedules, until cancelled."""
    async with (
        _runtime(settings, where, "scheduler", doorbell=True) as runtime,
        job_pool(where.system_dsn, size=2) as pool,
    ):
        await run_scheduler(log=runtime.log, tail=runtime.tail, pool=pool, clock=_clock)


def _workflow_handlers(
    settings: Settings, runtime: Runtime, billing: BillingWork, desk: ErasureDesk
) -> dict[str, WorkflowHandler]:
    """Return the handler of every workflow of the catalogue."""
    specs = ProviderSpecs(allow_private=settings.egress == "private")
    system = runtime.engine(runtime.where.system_dsn, size=2)
    prober = SdkProber(runtime.log, specs)
    return {
        MODEL_HEALTH_CHECK.name: model_health_check(runtime.log, system, _clock, prober),
        MEMORY_TTL_CLEANUP.name: partial(clean_up, ports=desk.cleanup_ports),
        **billing.workflows(),
    }


@asynccontextmanager
async def _erasure_desk(
    settings: Settings, runtime: Runtime, pool: AsyncConnectionPool[AsyncConnection]
) -> AsyncIterator[ErasureDesk]:
    desk = ErasureDesk(settings, runtime, pool)
    await desk.open()
    try:
        yield desk
    finally:
        await desk.close()


@asynccontextmanager
async def _runtime(
    settings: Settings, where: Endpoints, name: str, *, doorbell: bool = False
) -> AsyncIterator[Runtime]:
    runtime = Runtime(settings, where, event_registry(), name=name, control_types=TYPES)
    await runtime.open(doorbell=doorbell)
    try:
        yield runtime
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await runtime.close()


def _clock() -> datetime:
    return datetime.now(UTC)
