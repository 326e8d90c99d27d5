"""Exchanges what processes saw of targets, several times a second, through one capped stream in Redis.

Everything in Redis carries an absolute end: entries older than REMEMBERED_S are trimmed and skipped, the
stream itself and every lease expire. Without Redis each process goes on by itself and grants its own leases.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from application.orchestration.health import Change, Key, TargetHealth
from domain.orchestration.breaker import REMEMBERED_S, Seen
from infrastructure.ending import end

STREAM = "aios:health:reports"
LEASE = "aios:health:lease:"
TICK_S = 0.2
LEASE_MS = 35_000  # longer than a probe may take before it counts as lost
UNUSED_S = 5.0
TIDY_S = 60.0
WITHOUT_REDIS_S = 2.0
_MOST_ENTRIES = 5_000
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"

Report = tuple[tuple[str, str, str, str], Seen]
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Report])
RecordChange = Callable[[Change], Awaitable[None]]
Chore = Callable[[], Awaitable[None]]
log = structlog.get_logger("health")


class HealthExchange:
    """The background task of one process. `record` stores a change of status as an event.

    `chores` are done with every tick.
    """

    def __init__(
        self, health: TargetHealth, redis: Redis, record: RecordChange, chores: Sequence[Chore] = ()
    ) -> None:
        self._health = health
        self._redis = redis
        self._record = record
        self._chores = chores
        self._node = secrets.token_hex(8)
        self._last = f"{int((time.time() - REMEMBERED_S) * 1000)}-0"
        self._held: dict[Key, float] = {}
        self._alone_until = 0.0
        self._tidied = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to exchange; returns at once."""
        self._task = asyncio.create_task(self._run(), name="health-exchange")

    async def close(self) -> None:
        """Stop, after telling the others what was seen last."""
        if self._task is not None:
            await end(self._task)
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._publish(self._health.unsent())
        await self._redis.aclose()

    async def tick(self) -> None:
        """Exchange once: send, read, return and fetch leases, record changes."""
        if time.monotonic() < self._alone_until:
            self._go_on_alone()
        else:
            try:
                await self._exchange()
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("health is not shared", problem=type(error).__name__)
                self._alone_until = time.monotonic() + WITHOUT_REDIS_S
        for change in self._health.changes():
            await _safely(self._record(change), "a change of health was not recorded")
        for chore in self._chores:
            await _safely(chore(), "an alert was not recorded")
        if time.monotonic() - self._tidied > TIDY_S:
            self._tidied = time.monotonic()
            self._health.tidy()

    async def _run(self) -> None:
        while True:
            try:
                await self.tick()
            except Exception:
                log.exception("an exchange of health failed")
            await asyncio.sleep(TICK_S)

    async def _exchange(self) -> None:
        # Reports go before the lease: whoever gets it next has read what the probe met.
        finished = self._health.finished()
        await self._publish(self._health.unsent())
        await self._read()
        for key in finished:
            await self._release(key)
        await self._return_unused()
        for key in self._health.lacking_leases():
            await self._acquire(key)

    async def _publish(self, reports: Sequence[tuple[Key, Seen]]) -> None:
        if not reports:
            return
        oldest = f"{int((time.time() - REMEMBERED_S) * 1000)}-0"
        entry: dict[Any, Any] = {"node": self._node, "reports": _ENCODER.encode(reports)}
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xadd(STREAM, entry, maxlen=_MOST_ENTRIES, approximate=True)
            pipe.xtrim(STREAM, minid=oldest, approximate=True)
            pipe.expireat(STREAM, int(time.time() + 2 * REMEMBERED_S))
            await pipe.execute()

    async def _read(self) -> None:
        while True:
            found = cast("Any", await self._redis.xread({STREAM: self._last}, count=500))
            entries = _entries(found)
            for number, fields in entries:
                self._last = number.decode()
                if fields.get(b"node") != self._node.encode():
                    self._absorb(fields.get(b"reports", b""))
            if len(entries) < 500:
                return

    def _absorb(self, data: bytes) -> None:
        try:
            reports = _DECODER.decode(data)
        except msgspec.DecodeError:  # of another version of the product
            return
        self._health.absorb((Key(*key), seen) for key, seen in reports)

    async def _acquire(self, key: Key) -> None:
        if not await self._redis.set(_lease(key), self._node, nx=True, px=LEASE_MS):
            return
        await self._read()
        if self._health.half_open(key):
            self._held[key] = time.monotonic()
            self._health.grant(key)
        else:
            await self._release(key)

    async def _return_unused(self) -> None:
        for key, since in list(self._held.items()):
            if time.monotonic() - since > UNUSED_S and self._health.withdraw(key):
                await self._release(key)

    async def _release(self, key: Key) -> None:
        self._held.pop(key, None)
        await self._redis.eval(_RELEASE, 1, _lease(key), self._node)

    def _go_on_alone(self) -> None:
        self._health.finished()
        self._held.clear()
        for key in self._health.lacking_leases():
            self._health.grant(key)


async def _safely(work: Awaitable[None], otherwise: str) -> None:
    try:
        await work
    except Exception:
        log.exception(otherwise)


def _lease(key: Key) -> str:
    return LEASE + "\0".join(key)


def _entries(found: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Return the entries of the one stream that was read, whatever protocol the client speaks."""
    streams = found.items() if isinstance(found, dict) else found
    entries: list[tuple[bytes, dict[bytes, bytes]]] = []
    for _, batches in streams or ():
        for batch in batches:
            entries.extend(batch if isinstance(batch, list) else [batch])
    return entries
