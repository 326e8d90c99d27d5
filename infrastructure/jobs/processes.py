"""The three kinds of background process, each until it is told to stop: worker, outbox, scheduler."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from dramatiq import Worker
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from application.ports import Clock, EventLog
from domain.workflows.catalogue import CATALOGUE, WorkflowDefinition
from infrastructure.event_store.tail import Tail
from infrastructure.jobs.broker import NAMESPACE, RedisQueue, build_broker
from infrastructure.jobs.execution import Executor
from infrastructure.jobs.inbox import Inbox
from infrastructure.jobs.job import Job, Observer
from infrastructure.jobs.ledger import TickLedger
from infrastructure.jobs.locks import AdvisoryLocks
from infrastructure.jobs.outbox import Outbox, Routes
from infrastructure.jobs.plans import Plans
from infrastructure.jobs.product import ROUTES
from infrastructure.jobs.scheduler import Scheduler

Pool = AsyncConnectionPool[AsyncConnection]
GRACE_S = 10.0
LONGEST_STOP_S = 18.0
POLL_MS = 500
THREADS = 4
logger = logging.getLogger(__name__)


def stop_on_signals() -> asyncio.Event:
    """Return an event of the running loop that SIGTERM and SIGINT set; more of them change nothing."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def run_worker(
    *,
    redis_url: str,
    jobs: Sequence[Job],
    tail: Tail,
    pool: Pool,
    stop: asyncio.Event,
    observe: Observer = lambda _job, _outcome: None,
    threads: int = THREADS,
    namespace: str = NAMESPACE,
) -> None:
    """Do jobs, `threads` at a time, until told to stop; then let them end for ten seconds.

    What is not done by then is cut off and done by another worker. `pool` (`connections.job_pool`, open, at
    least three connections a thread) connects as `aios_system`. Redis may be away, now and later.
    """
    executor = Executor(Inbox(pool), AdvisoryLocks(pool), tail.at, observe)
    broker = build_broker(redis_url, jobs, executor.perform, namespace=namespace)
    worker = Worker(broker, worker_timeout=POLL_MS, worker_threads=threads)
    worker.queue_prefetch = threads  # what waits in this process cannot be done by another one
    worker.start()
    try:
        await stop.wait()
    finally:
        await _stop(worker, executor)
        broker.client.close()


async def run_outbox(
    *,
    redis_url: str,
    dsn: str,
    tail: Tail,
    routes: Routes = ROUTES,
    namespace: str = NAMESPACE,
) -> None:
    """Enqueue what the log asks for until cancelled; `dsn` connects as `aios_system`."""
    queue = RedisQueue(build_broker(redis_url, namespace=namespace))
    try:
        await Outbox(dsn, tail, queue, routes).run()
    finally:
        queue.close()


async def run_scheduler(
    *,
    log: EventLog,
    tail: Tail,
    pool: Pool,
    clock: Clock,
    catalogue: Mapping[str, WorkflowDefinition] = CATALOGUE,
) -> None:
    """Tick schedules until cancelled; `pool` (open) connects as `aios_system`."""
    await Scheduler(Plans(tail, catalogue), TickLedger(pool), log, clock).run()


async def _stop(worker: Worker, executor: Executor) -> None:
    """Stop within LONGEST_STOP_S: no new jobs, then ten seconds for those that run, then cut them off."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as thread:
        stopped = loop.run_in_executor(thread, worker.stop, int(LONGEST_STOP_S * 1000))
        done, _ = await asyncio.wait((stopped,), timeout=GRACE_S)
        if not done:
            logger.warning("worker: jobs still run after %g s; cutting them off", GRACE_S)
            executor.cancel_all()
        await stopped
