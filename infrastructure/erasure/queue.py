"""The queue's server: jobs carry positions and no data; its append-only file is written anew all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from application.processes.erasure.ports import Found, Reach
from domain.kernel.errors import Unavailable

POLL_S, POLLS = 0.05, 1200


class QueueStore:
    """Implements ErasableStore for Valkey or Redis."""

    name = "queue"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def find(self, reach: Reach) -> Found:
        """Messages name a job and a position, so none holds personal data."""
        return Found(0)

    async def keep(self, reach: Reach, kids: Sequence[str]) -> int:
        """Nothing here is sealed."""
        return 0

    async def erase(self, reach: Reach) -> int:
        """There is nothing to take out."""
        return 0

    async def rewrite(self, reach: Reach) -> str:
        """Write the append-only file anew from what is there now."""
        try:
            await self._redis.bgrewriteaof()
            for _ in range(POLLS):
                if not await self._rewriting():
                    return "its append-only file was written anew"
                await asyncio.sleep(POLL_S)
        except ResponseError as error:
            if "in progress" in str(error):
                raise Unavailable("queue", "the queue's file is being rewritten already", 1.0) from error
            return "left to its operator: this server does not let its file be rewritten"
        except (RedisError, OSError) as error:
            raise Unavailable("queue", f"the queue does not answer: {type(error).__name__}", 1.0) from error
        raise Unavailable("queue", "the queue's file is still being rewritten", 1.0)

    async def verify(self, reach: Reach) -> int:
        """There is nothing left by construction."""
        return 0

    async def _rewriting(self) -> bool:
        info = await self._redis.info("persistence")
        return bool(info.get("aof_rewrite_in_progress") or info.get("aof_rewrite_scheduled"))
