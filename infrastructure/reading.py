"""Lets commands and queries wait for what was stored: read models, and the live state of every process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from infrastructure.event_store.live import LiveState
from projections.registry import PROJECTIONS
from projections.wait import ProjectionWaiter

EVERYTHING = tuple(p.name for p in PROJECTIONS)
FED_BY_REQUESTS = frozenset({"usage", "experiments", "billing_usage"})  # busy: commands do not wait for them
ADMINISTRATION = tuple(name for name in EVERYTHING if name not in FED_BY_REQUESTS)
BARRIER_S = 2.0


@dataclass
class ReadSide:
    """Waits for read models and for the live state of every API process."""

    waiter: ProjectionWaiter
    live: LiveState
    head: Callable[[], Awaitable[int]]

    async def caught_up(self, position: int, projections: Sequence[str] = (), timeout_s: float = 2.0) -> bool:
        """Wait for the read models of administration, or the named ones."""
        return await self.waiter.caught_up(position, projections or ADMINISTRATION, timeout_s)

    async def everywhere(self, position: int, timeout_s: float = 5.0) -> bool:
        """Wait until every API process has applied the control events up to a position."""
        return await self.live.everywhere(position, timeout_s)

    async def barrier(self) -> None:
        """Wait, bounded, until every read model has what the log holds now."""
        await self.waiter.caught_up(await self.head(), EVERYTHING, BARRIER_S)
