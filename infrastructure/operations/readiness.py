"""What `/health/ready` asks: whether each part that an API process needs does its work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from redis.asyncio import Redis

from domain.kernel.errors import Unavailable
from infrastructure.event_store.live import LiveState
from projections.wait import ProjectionWaiter

CAUGHT_UP_WITHIN_S = 1.5


def readiness_probes(
    head: Callable[[], Awaitable[int]], redis: Redis, live: LiveState, waiter: ProjectionWaiter
) -> Mapping[str, Callable[[], Awaitable[str | None]]]:
    """Return a probe for each component: it returns a detail worth showing, or raises when it fails."""

    async def database() -> str:
        return f"log at position {await head()}"

    async def queue() -> None:
        await redis.ping()

    async def event_log() -> str:
        if not live.fresh:
            raise Unavailable("database", "the event log cannot be reached", 1.0)
        return f"control state at position {live.applied}"

    async def projections() -> str:
        position = await head()
        if not await waiter.caught_up(position, (), CAUGHT_UP_WITHIN_S):
            raise Unavailable("projections", f"read models have not reached position {position}")
        return f"at position {position}"

    return {"database": database, "queue": queue, "event_log": event_log, "projections": projections}
