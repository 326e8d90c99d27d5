"""What admission needs: limits in memory, reservations, and upper bounds of costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from domain.kernel.request_record import RequestRecorded
from domain.kernel.values import Period
from domain.orchestration.catalogue import Target
from domain.usage.quota import Account, QuotaLimits, Scope


class CostBounds(Protocol):
    """The most that tokens of a target can cost, in micro-dollars; never raises."""

    def bound(
        self, tenant: str, target: Target, input_tokens: int, output_tokens: int, at: datetime
    ) -> int: ...


class Limits(Protocol):
    """The limits in memory, as fresh as the last control event of this process."""

    @property
    def changes(self) -> int:
        """Return how often any limit has changed."""
        ...

    def limits(self, tenant: str) -> Mapping[Scope, QuotaLimits]: ...

    def limits_users(self, tenant: str) -> bool: ...

    def month(self, tenant: str, at: datetime) -> str: ...

    def period(self, tenant: str, at: datetime) -> Period: ...


class Hold(Protocol):
    """A reservation; `record` is set once a provider is called."""

    record: Callable[[], RequestRecorded] | None


class Holds(Protocol):
    """Reservations of this process. `hold` and `extend` raise DoesNotFit, or Unavailable."""

    async def hold(self, tenant: str, request_id: str, needs: Mapping[Account, int]) -> Hold: ...

    async def extend(self, hold: Any, needs: Mapping[Account, int]) -> None: ...

    def settle(self, hold: Any, tokens: int, cost_micros: int) -> None: ...

    def standing(self, account: Account) -> tuple[int, int]:
        """Return what is used of an account, as last heard (0 when never), and what this process holds."""
        ...

    def count(self, account: Account, amount: int) -> None:
        """Note use of an account that no hard cap limits."""
        ...
