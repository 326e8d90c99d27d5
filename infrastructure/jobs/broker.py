"""Dramatiq on Redis behind one `enqueue`; nothing else of the product knows of either.

Brokers are built, never global. Messages are JSON with the position of an event. A worker that dies is
noticed by its missing heartbeat, and every poll of every worker looks for such: Dramatiq by itself does this
maintenance by chance, so a quiet system would wait for minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import redis
import structlog
from dramatiq import Actor, Message, Middleware
from dramatiq.brokers.redis import MAINTENANCE_SCALE, RedisBroker
from dramatiq.middleware import CurrentMessage, Retries
from redis.backoff import NoBackoff
from redis.retry import Retry

from domain.kernel.errors import Unavailable
from infrastructure.jobs.job import Job, JobRef

QUEUE = "jobs"
NAMESPACE = "aios"
DEAD_AFTER_MS = 5_000
SOCKET_TIMEOUT_S = 10.0
Perform = Callable[[Job, JobRef, int], None]
"""Does one attempt at a job in the calling thread; the number is how many attempts failed before."""


def redis_client(redis_url: str) -> redis.Redis:
    """Return a client for `redis://`, `rediss://` or `unix://`; it never repeats a command by itself."""
    return redis.Redis.from_url(
        redis_url,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def build_broker(
    redis_url: str,
    jobs: Iterable[Job] = (),
    perform: Perform | None = None,
    *,
    namespace: str = NAMESPACE,
) -> RedisBroker:
    """Return a broker with one actor for each job; without jobs it can only enqueue.

    Jobs that a worker held when it died are free again after DEAD_AFTER_MS and one poll of another worker.
    """
    broker = RedisBroker(  # type: ignore[no-untyped-call]  # Dramatiq's constructor has no types
        client=redis_client(redis_url),
        middleware=[_LogContext(), CurrentMessage(), Retries()],
        namespace=namespace,
        maintenance_chance=MAINTENANCE_SCALE,
        heartbeat_timeout=DEAD_AFTER_MS,
    )
    for job in jobs:
        if perform is None:
            raise ValueError("jobs need something that performs them")
        _declare(broker, job, perform)
    return broker


class RedisQueue:
    """Hands jobs to the workers. Both methods raise Unavailable when Redis does not answer."""

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker

    async def enqueue(self, refs: Sequence[JobRef]) -> None:
        """Enqueue jobs; an error may come after some of them went through, so repeat all of them."""
        try:
            await asyncio.to_thread(self._enqueue, refs)
        except redis.RedisError as error:
            raise _away(error) from error

    async def server_id(self) -> str:
        """Return what tells one life of the Redis server from the next."""
        try:
            found: Any = await asyncio.to_thread(self._broker.client.info, "server")
        except redis.RedisError as error:
            raise _away(error) from error
        return str(found.get("run_id", ""))

    def close(self) -> None:
        """Close the connections to Redis."""
        self._broker.client.close()

    def _enqueue(self, refs: Sequence[JobRef]) -> None:
        for ref in refs:
            self._broker.enqueue(message_of(ref))


def message_of(ref: JobRef) -> Message[None]:
    """Return the message of a job; its id is made of the job and the position, so that repeats share it."""
    return Message(
        queue_name=QUEUE,
        actor_name=ref.job,
        args=(),
        kwargs={"position": ref.position},
        options={"request_id": ref.correlation},
        message_id=ref.effect_id,
    )


def _declare(broker: RedisBroker, job: Job, perform: Perform) -> None:
    def run(position: int) -> None:
        message = CurrentMessage.get_current_message()
        options = message.options if message else {}
        ref = JobRef(job.name, position, options.get("request_id", ""))
        perform(job, ref, options.get("retries", 0))

    Actor(
        run,
        broker=broker,
        actor_name=job.name,
        queue_name=QUEUE,
        priority=0,
        options={
            "max_retries": job.max_retries,
            "min_backoff": int(job.shortest_pause_s * 1000),
            "max_backoff": int(job.longest_pause_s * 1000),
        },
    )


def _away(error: redis.RedisError) -> Unavailable:
    return Unavailable("queue", f"Redis does not answer: {type(error).__name__}", 1.0)


class _LogContext(Middleware):
    """Lets every log line of a job name the job, its event and the request that caused it."""

    def before_process_message(self, _broker: Any, message: Any) -> None:
        """Bind what the message says; the worker's event loop inherits it from the worker's thread."""
        structlog.contextvars.bind_contextvars(
            job=message.actor_name,
            job_position=message.kwargs.get("position"),
            request_id=message.options.get("request_id", ""),
        )

    def after_process_message(
        self, _broker: Any, _message: Any, *, result: Any = None, exception: Any = None
    ) -> None:
        """Forget it."""
        structlog.contextvars.unbind_contextvars("job", "job_position", "request_id")
