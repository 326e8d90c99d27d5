"""A tenant with webhooks on the bench of background work."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime

from application.ports import AppendRequest, NewEvent
from application.webhooks.signing import secret_of
from domain.usage.events import SoftCapReached
from domain.webhooks.endpoints import ENTITY, Webhooks
from domain.webhooks.events import DeliveryAttempted
from infrastructure.jobs.broker import RedisQueue, build_broker
from infrastructure.jobs.outbox import Outbox, OutboxPace
from infrastructure.webhooks.jobs import ROUTES, webhook_jobs
from infrastructure.webhooks.sender import HttpSender
from tests.infrastructure.jobs.bench import Bench, going

TENANT = "t1"
SECRET = secret_of(b"s" * 32)


def now() -> datetime:
    return datetime.now(UTC)


async def create(bench: Bench, url: str, events: Sequence[str] = ("*",), webhook_id: str = "wh_1") -> None:
    """Register an endpoint as the handler does."""
    stream = f"{TENANT}/{Webhooks.KIND}/{ENTITY}"
    webhooks = await bench.store.log.load(Webhooks, stream)
    version = webhooks.version
    event = webhooks.create(
        webhook_id, url, events, SECRET, now(), description="", offered={SoftCapReached.TYPE}
    )
    await bench.store.log.append(
        AppendRequest(TENANT, secrets.token_hex(8), (NewEvent(stream, event, version),))
    )


async def remove(bench: Bench, webhook_id: str = "wh_1") -> None:
    """Remove an endpoint as the handler does."""
    stream = f"{TENANT}/{Webhooks.KIND}/{ENTITY}"
    webhooks = await bench.store.log.load(Webhooks, stream)
    version = webhooks.version
    webhooks.remove(webhook_id, now())
    (recorded,) = webhooks.collect_events()
    event = recorded.payload  # type: ignore[attr-defined]  # our envelope of an event
    await bench.store.log.append(
        AppendRequest(TENANT, secrets.token_hex(8), (NewEvent(stream, event, version),))
    )


async def cross(bench: Bench) -> int:
    """Have a soft cap reached; returns the event's position."""
    event = SoftCapReached(
        scope="tenant",
        month="2026-11",
        unit="tokens",
        used=80,
        limit=100,
        threshold=0.8,
        reached_at=now(),
    )
    return await bench.append(event, TENANT)


def outbox_of(bench: Bench) -> Outbox:
    """Return the outbox of the product's webhooks, with short pauses."""
    queue = RedisQueue(build_broker(bench.redis_url, namespace=bench.namespace))
    pace = OutboxPace(sweep_s=0.1, standby_s=0.1)
    return Outbox(bench.store.endpoint.system_dsn, bench.store.tail, queue, ROUTES, pace=pace)


@asynccontextmanager
async def delivering(bench: Bench, pauses: Sequence[float], *, private: bool = True) -> AsyncIterator[None]:
    """Run an outbox and a worker while the block runs."""
    async with aclosing(HttpSender(allow_private=private, timeout_s=5)) as sender:
        jobs = webhook_jobs(bench.store.log, bench.store.tail.at, sender, now, pauses)
        async with going(outbox_of(bench).run()), bench.working(jobs):
            yield


async def attempts(bench: Bench) -> list[DeliveryAttempted]:
    """Return the attempts in the log."""
    return [e.event async for e in bench.store.log.read(types=[DeliveryAttempted.TYPE])]
