"""The quota of one scope and its versions."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.kernel.aggregate import Aggregate
from domain.kernel.events import Event
from domain.usage.events import QuotaSet
from domain.usage.quota import QuotaLimits, Scope, check_quota


class Quota(Aggregate):
    """The consistency boundary of a scope's limits; reservations are not its business."""

    KIND: ClassVar[str] = "quota"

    number: int
    limits: QuotaLimits

    def initialise(self) -> None:
        """Start without limits."""
        self.number = 0
        self.limits = QuotaLimits()

    def apply(self, event: Event) -> None:
        """Fold one event."""
        if isinstance(event, QuotaSet):
            self.number, self.limits = event.version, event.limits

    def set(self, scope: Scope, limits: QuotaLimits, at: datetime) -> None:
        """Set the limits, whatever is used already. Raises InvalidInput that names every unusable field."""
        check_quota(scope, limits)
        version = self.number + 1
        self.record(
            QuotaSet(scope=scope.kind, scope_id=scope.id, version=version, set_at=at, limits=limits), at
        )
