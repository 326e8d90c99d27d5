"""What happens to quotas."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.kernel.events import Event
from domain.usage.quota import QuotaLimits, ScopeKind, Unit


class QuotaSet(Event, frozen=True, kw_only=True):
    """A scope's limits were set as a whole; versions count from 1.

    `scope_id` is empty for the tenant's own scope and a pseudonymous reference for a user's.
    """

    TYPE: ClassVar[str] = "usage.quota_set"

    scope: ScopeKind
    version: int
    set_at: datetime
    limits: QuotaLimits
    scope_id: str = ""


class SoftCapReached(Event, frozen=True, kw_only=True):
    """A scope's use reached its soft threshold; one event a scope, unit and month, and never a refusal.

    Amounts are tokens or micro-dollars, as of when it was noticed.
    """

    TYPE: ClassVar[str] = "usage.soft_cap_reached"

    scope: ScopeKind
    month: str
    unit: Unit
    used: int
    limit: int
    threshold: float
    reached_at: datetime
    scope_id: str = ""


class HardCapReached(Event, frozen=True, kw_only=True):
    """A hard cap did not let a request pass as it was asked, or nothing remains; one event a scope and month.

    Amounts are tokens or micro-dollars, as of when it was noticed; `used` may be below `limit`, for what is
    refused is what could have passed it.
    """

    TYPE: ClassVar[str] = "usage.hard_cap_reached"

    scope: ScopeKind
    month: str
    unit: Unit
    used: int
    limit: int
    reached_at: datetime
    scope_id: str = ""


EVENTS: tuple[type[Event], ...] = (QuotaSet, SoftCapReached, HardCapReached)
