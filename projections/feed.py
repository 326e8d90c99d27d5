"""One reader of the log for all projections of a process: live events are fetched and decoded once.

It keeps the newest events in memory. A projection that is further behind reads its own pages. An event after
a pause is read at once; while more keep coming, readings become rarer, until somebody waits for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec

from domain.kernel.events import Envelope
from projections.tail import Tail

KEPT_EVENTS = 5000
REST_S, LONGEST_REST_S = 0.01, 0.1
"""Between two readings: in busy times one reading then brings many events, instead of a few of them each."""


class Slice(msgspec.Struct, frozen=True):
    """Events of one projection's types, complete up to the position `upto`."""

    events: Sequence[Envelope[Any]]
    upto: int


class Feed:
    """Follows the log from its present end and hands each projection what is new to it."""

    def __init__(
        self,
        tail: Tail,
        types: Iterable[str],
        keep: int = KEPT_EVENTS,
        rest_s: float = REST_S,
        longest_rest_s: float = LONGEST_REST_S,
    ) -> None:
        self._tail = tail
        self._least_s, self._most_s = rest_s, longest_rest_s
        self._types = sorted(set(types))
        self._events: deque[Envelope[Any]] = deque(maxlen=keep)
        self._from: int | None = None
        self._upto = 0
        self._grown = asyncio.Condition()
        self._wanted = asyncio.Event()
        self._rest_s = rest_s
        self._rested = 0.0

    def hurry(self) -> None:
        """End the rest: somebody waits for what the log has."""
        self._wanted.set()

    async def run(self) -> None:
        """Follow the log for ever; runs beside the tasks that call `next`, and again after a failure."""
        start = await self._tail.head()
        async with self._grown:
            self._events.clear()
            self._from = self._upto = start
            self._grown.notify_all()
        async for batch in self._tail.follow(start, types=self._types):
            if batch.upto > self._upto:
                await self._grow(batch.events, batch.upto)
                if batch.upto >= batch.head:
                    await self._rest()

    async def next(self, after: int, types: Sequence[str], limit: int) -> Slice:
        """Return up to `limit` events after a position, waiting until the log has grown past it."""
        while True:
            if not self._covers(after):
                batch = await self._tail.read_batch(after, limit, types)
                if batch.upto > after:
                    return Slice(batch.events, batch.upto)
            async with self._grown:
                await self._grown.wait_for(lambda: self._upto > after)
                if self._covers(after):
                    return self._slice(after, frozenset(types), limit)

    async def _rest(self) -> None:
        """Rest twice as long as the last time if events have come since, or until somebody waits."""
        idle = time.monotonic() - self._rested > self._rest_s
        self._rest_s = self._least_s if idle else min(2 * self._rest_s, self._most_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._rest_s):
                await self._wanted.wait()
            self._wanted.clear()
            self._rest_s = self._least_s
        self._rested = time.monotonic()

    def _covers(self, after: int) -> bool:
        return self._from is not None and after >= self._from

    async def _grow(self, events: Sequence[Envelope[Any]], upto: int) -> None:
        async with self._grown:
            for event in events:
                if len(self._events) == self._events.maxlen:
                    self._from = self._events[0].position
                self._events.append(event)
            self._upto = upto
            self._grown.notify_all()

    def _slice(self, after: int, types: frozenset[str], limit: int) -> Slice:
        start = bisect_right(self._events, after, key=lambda event: event.position)
        wanted = (event for event in islice(self._events, start, None) if event.type in types)
        found = list(islice(wanted, limit))
        return Slice(found, found[-1].position if len(found) == limit else self._upto)
