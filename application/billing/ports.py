"""What billing needs from the outside world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.billing.drafting import Usage
from domain.kernel.values import Period


class UsageBook(Protocol):
    """Metered usage, exact as of any position up to `position()`, which may lag seconds behind the log."""

    async def position(self) -> int: ...

    async def position_at(self, at: datetime) -> int:
        """Return the position of the last event recorded up to a time, 0 for none."""
        ...

    async def recorded_at(self, position: int) -> datetime | None:
        """Return when the event at a position was recorded, None beyond the end of the log."""
        ...

    async def usage(
        self, tenant: str, period: Period, *, upto: int, late_before: datetime | None, after: int
    ) -> Usage:
        """Return a period's usage of events up to `upto`, and what began before `late_before` of events
        after `after`. Raises Unavailable when `upto` is not counted yet."""
        ...


@dataclass(frozen=True)
class BillingPorts:
    """What the handlers get beside the unit of work."""

    tenant_exists: Callable[[str], Awaitable[bool]]
