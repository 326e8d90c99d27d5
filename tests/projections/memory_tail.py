"""A log in memory for tests that decide themselves what the log holds and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.kernel.events import Envelope, Event

NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)


@dataclass(frozen=True)
class MemoryBatch:
    """Implements `projections.tail.Batch`."""

    events: list[Envelope[Any]]
    upto: int
    head: int


class MemoryTail:
    """Implements `projections.tail.Tail`; positions start at 1."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope[Any]] = []
        self.pages_read = 0

    def append(self, *events: Event, tenant: str = "t1") -> int:
        """Add events of one tenant and return the last position."""
        for event in events:
            self.envelopes.append(envelope(event, len(self.envelopes) + 1, tenant))
        return len(self.envelopes)

    async def head(self) -> int:
        return len(self.envelopes)

    async def read_batch(self, after: int, limit: int, types: Sequence[str] | None = None) -> MemoryBatch:
        self.pages_read += 1
        return self._page(after, limit, types)

    def _page(self, after: int, limit: int, types: Sequence[str] | None) -> MemoryBatch:
        head = len(self.envelopes)
        later = self.envelopes[after:]
        events = [e for e in later if types is None or e.type in types][:limit]
        return MemoryBatch(events, events[-1].position if len(events) == limit else max(head, after), head)

    async def follow(
        self, after: int, *, types: Sequence[str] | None = None, limit: int = 1000
    ) -> AsyncIterator[MemoryBatch]:
        while True:
            batch = self._page(after, limit, types)
            after = batch.upto
            yield batch
            if after >= batch.head:
                await asyncio.sleep(0.005)


def envelope(event: Event, position: int, tenant: str = "t1", type_name: str | None = None) -> Envelope[Any]:
    """Wrap an event as the store would."""
    return Envelope(
        position=position,
        tenant=tenant,
        stream_id=f"{tenant}/test/{position}",
        version=1,
        type=type_name or type(event).TYPE,
        schema_version=1,
        recorded_at=NOW,
        command_id=f"c{position}",
        correlation="r1",
        actor="key/test",
        event=event,
    )
