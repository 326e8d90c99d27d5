"""Lets a reader of memories wait, bounded, until it sees what was stored before it asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

TEXTS_S = 2.0
VECTORS_S = 1.0
FIRST_VECTORS_S = 10.0
"""While the model is being loaded, once."""
NO_PATIENCE_S = 0.02


class CaughtUp(Protocol):
    """Waits until named read models have applied a position; False when time ran out first."""

    async def __call__(self, position: int, projections: Sequence[str], timeout_s: float) -> bool: ...


class Freshness:
    """Waits for texts always, for vectors as long as their model keeps up."""

    def __init__(self, head: Callable[[], Awaitable[int]], caught_up: CaughtUp) -> None:
        self._head = head
        self._caught_up = caught_up
        self._patience = FIRST_VECTORS_S

    async def of_texts(self, position: int | None = None) -> bool:
        """Return whether every memory that was stored before (up to `position`, if given) can be read."""
        upto = await self._head() if position is None else position
        return await self._caught_up(upto, ("memories",), TEXTS_S)

    async def of_both(self, *, vectors: bool) -> tuple[bool, bool]:
        """Return whether every memory that was stored before can be read, and whether it has its vector.

        Once vectors fell behind, nobody waits for them until they have caught up.
        """
        position = await self._head()
        if not vectors:
            return await self.of_texts(position), True
        texts, embedded = await asyncio.gather(
            self.of_texts(position), self._caught_up(position, ("memory_vectors",), self._patience)
        )
        self._patience = VECTORS_S if embedded else NO_PATIENCE_S
        return texts, embedded
