"""What the runner needs of the event log: pages after a position, and an endless follower of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Protocol

from domain.kernel.events import Envelope


class Batch(Protocol):
    """Events in log order up to position `upto`, which may lie past the last one; `head` is the log's end."""

    @property
    def events(self) -> Sequence[Envelope[Any]]: ...

    @property
    def upto(self) -> int: ...

    @property
    def head(self) -> int: ...


class Tail(Protocol):
    """The log as a projector reads it; undecodable events arrive as UnknownEvent payloads, not as errors."""

    async def read_batch(self, after: int, limit: int, types: Sequence[str] | None = None) -> Batch: ...

    def follow(
        self, after: int, *, types: Sequence[str] | None = None, limit: int = 1000
    ) -> AsyncIterator[Batch]: ...

    async def head(self) -> int: ...


async def pages(
    tail: Tail, after: int, limit: int, types: Sequence[str] | None = None, until: int | None = None
) -> AsyncGenerator[Batch, None]:
    """Yield pages that reach a position, or the end of the log; the next is read while the caller works."""
    following = asyncio.create_task(tail.read_batch(after, limit, types))
    try:
        while True:
            page = await following
            if page.upto >= (page.head if until is None else until):
                yield page
                return
            following = asyncio.create_task(tail.read_batch(page.upto, limit, types))
            yield page
    finally:
        following.cancel()
