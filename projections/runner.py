"""Keeps every read model up to date: one task a projection, in as many processes as you like, one at work."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.kernel.errors import Conflict
from projections.feed import LONGEST_REST_S, REST_S, Feed
from projections.generations import Generation, active_generation, generations, install
from projections.idle import IdleAdvance
from projections.leases import LEASE_S, RENEW_S, Lease, LostLease, acquire, kept
from projections.projection import Projection
from projections.projector import PAGE, Projector, describe
from projections.rebuild import rebuild, sweep
from projections.tail import Tail

SWEEP_EVERY_S = 3600.0
KEEP_RETIRED = timedelta(hours=24)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """How the runner paces itself. Seconds; a dead worker is replaced after `lease_s` plus `standby_s`.

    After a batch it rests four times as long as the batch took, at most `linger_s`, so that busy times make
    larger batches instead of more commits. Between readings of the log it rests `rest_s`, and up to
    `longest_rest_s` while events keep coming and nobody waits for them.
    """

    batch: int = PAGE
    linger_s: float = 0.05
    rest_s: float = REST_S
    longest_rest_s: float = LONGEST_REST_S
    lease_s: float = LEASE_S
    renew_s: float = RENEW_S
    standby_s: float = 1.0
    longest_backoff_s: float = 5.0


class Runner:
    """Projects until cancelled. `system` writes rows, `owner` owns the tables and does DDL."""

    def __init__(
        self,
        projections: Sequence[Projection],
        tail: Tail,
        *,
        system: AsyncEngine,
        owner: AsyncEngine,
        pace: Pace | None = None,
    ) -> None:
        self._projections = tuple(projections)
        self._tail = tail
        self._system = system
        self._owner = owner
        self._pace = pace or Pace()
        self._feed = Feed(
            tail,
            (name for projection in projections for name in projection.types),
            rest_s=self._pace.rest_s,
            longest_rest_s=self._pace.longest_rest_s,
        )
        self._idle = IdleAdvance(system)
        self.worker = worker_name()

    def hurry(self) -> None:
        """Read the log at once instead of resting: somebody waits for a read model."""
        self._feed.hurry()

    async def run(self) -> None:
        """Install what is missing, then project for ever; leases are given back on cancellation."""
        await self._steadily("installation", self._install_once)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forever("feed", self._feed.run))
            group.create_task(self._forever("sweep", self._sweep))
            for projection in self._projections:
                group.create_task(self._forever(projection.name, partial(self._serve, projection)))

    async def _install_once(self) -> None:
        await install(self._owner, self._projections)

    async def _sweep(self) -> None:
        await sweep(self._owner, self._projections, KEEP_RETIRED)
        await asyncio.sleep(SWEEP_EVERY_S)

    async def _forever(self, what: str, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._steadily(what, step)

    async def _steadily(self, what: str, step: Callable[[], Awaitable[None]]) -> None:
        """Do a step until it succeeds, waiting longer after each failure."""
        pause = 0.2
        while True:
            started = time.monotonic()
            try:
                await step()
            except DBAPIError as error:  # its own message shows parameters, which may be personal data
                logger.warning("projection runner: %s failed: %s", what, describe(error))
            except Exception:
                logger.exception("projection runner: %s failed", what)
            else:
                return
            if time.monotonic() - started > 10 * self._pace.longest_backoff_s:
                pause = 0.2
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._pace.longest_backoff_s)

    async def _serve(self, projection: Projection) -> None:
        async with self._system.connect() as conn:
            active = await active_generation(conn, projection.name)
            others = await generations(conn, projection.name)
        if active is None:
            await self._install_once()
        elif active.version != projection.version:
            await self._upgrade(projection, active, others)
        else:
            lease = await acquire(self._system, active, self.worker, self._pace.lease_s)
            if lease is None:
                await asyncio.sleep(self._pace.standby_s)
            else:
                await self._work(projection, lease)

    async def _upgrade(self, projection: Projection, active: Generation, others: list[Generation]) -> None:
        """Rebuild for a newer version; leave alone what newer code shows or an operator rolled back."""
        served_before = any(g.version == projection.version and g.activated_at for g in others)
        if active.version > projection.version or served_before:
            logger.warning(
                "projection %s serves version %d, this code has %d; not projecting",
                projection.name,
                active.version,
                projection.version,
            )
            await asyncio.sleep(10 * self._pace.standby_s)
            return
        try:
            await rebuild(
                projection, tail=self._tail, system=self._system, owner=self._owner, worker=self.worker
            )
        except Conflict:
            await asyncio.sleep(self._pace.standby_s)

    async def _work(self, projection: Projection, lease: Lease) -> None:
        try:
            async with kept(self._system, lease, self._pace.lease_s, self._pace.renew_s):
                await self._project(projection, lease)
        except LostLease:
            logger.info("projection %s: the lease passed to another worker or generation", projection.name)

    async def _project(self, projection: Projection, lease: Lease) -> None:
        projector = Projector(projection, lease, self._system, self._idle)
        await projector.catch_up(self._tail)
        while True:
            news = await self._feed.next(projector.position, projection.types, self._pace.batch)
            started = time.monotonic()
            if news.events:
                await projector.settle(news.events, news.upto)
            else:
                await projector.skip(news.upto)
            if len(news.events) < self._pace.batch:
                await asyncio.sleep(min(4 * (time.monotonic() - started), self._pace.linger_s))


def worker_name() -> str:
    """Return a name for one worker that no other process or task has."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
