"""A background process of its own: worker, outbox or scheduler; reads its configuration as JSON on stdin.

An outbox may `die` by SIGKILL at one point: `before_enqueue`, with the events committed and read, or
`after_enqueue`, before its cursor moves.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from domain.workflows.catalogue import WorkflowDefinition
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.jobs.broker import RedisQueue, build_broker
from infrastructure.jobs.connections import job_pool
from infrastructure.jobs.job import JobRef
from infrastructure.jobs.outbox import Outbox
from infrastructure.jobs.processes import run_outbox, run_scheduler, run_worker, stop_on_signals
from infrastructure.webhooks.jobs import webhook_jobs
from infrastructure.webhooks.sender import HttpSender
from tests.event_store import EventStore, open_store
from tests.infrastructure.jobs.bench import ROUTES, bench_registry, traced_jobs

Config = dict[str, Any]


class FatalQueue(RedisQueue):
    """A queue at which the process dies."""

    def __init__(self, *arguments: Any, die: str) -> None:
        super().__init__(*arguments)
        self._die = die

    async def enqueue(self, refs: Sequence[JobRef]) -> None:
        if refs and self._die == "before_enqueue":
            os.kill(os.getpid(), signal.SIGKILL)
        await super().enqueue(refs)
        if refs and self._die == "after_enqueue":
            os.kill(os.getpid(), signal.SIGKILL)


async def worker(config: Config, store: EventStore) -> None:
    stop = stop_on_signals()
    async with job_pool(store.endpoint.system_dsn, size=12) as pool:
        await run_worker(
            redis_url=config["redis_url"],
            jobs=traced_jobs(store, Path(config["folder"])),
            tail=store.tail,
            pool=pool,
            stop=stop,
            namespace=config["namespace"],
        )


async def webhooks(config: Config, store: EventStore) -> None:
    """Deliver webhooks until told to stop."""
    stop = stop_on_signals()
    async with (
        job_pool(store.endpoint.system_dsn, size=12) as pool,
        aclosing(HttpSender(allow_private=True)) as sender,
    ):
        await run_worker(
            redis_url=config["redis_url"],
            jobs=webhook_jobs(store.log, store.tail.at, sender, lambda: datetime.now(UTC)),
            tail=store.tail,
            pool=pool,
            stop=stop,
            namespace=config["namespace"],
        )


async def outbox(config: Config, store: EventStore) -> None:
    redis_url, namespace, dsn = config["redis_url"], config["namespace"], store.endpoint.system_dsn
    if "die" not in config:
        await run_outbox(redis_url=redis_url, dsn=dsn, tail=store.tail, routes=ROUTES, namespace=namespace)
    queue = FatalQueue(build_broker(redis_url, namespace=namespace), die=config["die"])
    await Outbox(dsn, store.tail, queue, ROUTES).run()


async def scheduler(config: Config, store: EventStore) -> None:
    """Tick one workflow with a clock that stands `ahead_s` before the real one."""
    ahead = timedelta(seconds=config.get("ahead_s", 0))
    definition = WorkflowDefinition(
        name="sweep", title="Sweeps", interval_s=config["interval_s"], catch_up=config["catch_up"],
        scope="installation",
    )  # fmt: skip
    async with job_pool(store.endpoint.system_dsn, size=2) as pool:
        await run_scheduler(
            log=store.log,
            tail=store.tail,
            pool=pool,
            clock=lambda: datetime.now(UTC) + ahead,
            catalogue={definition.name: definition},
        )


ROLES = {"worker": worker, "webhooks": webhooks, "outbox": outbox, "scheduler": scheduler}


async def main() -> None:
    """Run a role until told to stop."""
    config = json.loads(sys.stdin.read())
    endpoint = PostgresEndpoint(**config["endpoint"])
    async with open_store(endpoint, Path(config["keys"]), bench_registry()) as store:
        await ROLES[config["role"]](config, store)


if __name__ == "__main__":
    asyncio.run(main())
