"""The limits in memory: which scopes of a tenant are limited, and which month it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from domain.kernel.events import Envelope
from domain.kernel.values import Period, month_of
from domain.usage.events import QuotaSet
from domain.usage.quota import QuotaLimits, Scope

TYPES: tuple[str, ...] = (QuotaSet.TYPE,)
Changed = Callable[[str, Scope], None]
_UNSET = QuotaLimits()
_NOTHING: Mapping[Scope, QuotaLimits] = {}


class QuotaDirectory:
    """Folds quota events; `changed(tenant, scope)` is called after each one, and `changes` counts them."""

    def __init__(self, changed: Changed = lambda _tenant, _scope: None) -> None:
        self.changed = changed
        self._limits: dict[str, dict[Scope, QuotaLimits]] = {}
        self.changes = 0
        self._user_limits: dict[str, int] = {}
        self._without: dict[tuple[str, Scope], QuotaLimits] = {}
        self._zones: dict[str, str] = {}
        self._months: dict[str, tuple[Period, str]] = {}

    def apply(self, envelope: Envelope[Any]) -> None:
        """Fold one event; events of other types change nothing."""
        event = envelope.event
        if not isinstance(event, QuotaSet):
            return
        tenant, scope = envelope.tenant, Scope(event.scope, event.scope_id)
        if event.scope == "tenant":
            self._zones[tenant] = event.limits.time_zone
            self._months.pop(tenant, None)
        limited = self._limits.setdefault(tenant, {})
        self._without.pop((tenant, scope), None)
        if event.limits.units:
            limited[scope] = event.limits
        else:
            limited.pop(scope, None)
            self._without[tenant, scope] = event.limits
        if not limited:
            del self._limits[tenant]
        self.changes += 1
        self._user_limits[tenant] = sum(1 for each in limited if each.kind == "user")
        self.changed(tenant, scope)

    def limits(self, tenant: str) -> Mapping[Scope, QuotaLimits]:
        """Return the limited scopes of a tenant; empty for most tenants."""
        return self._limits.get(tenant, _NOTHING)

    def limits_users(self, tenant: str) -> bool:
        """Tell whether any user of a tenant has a quota of its own."""
        return self._user_limits.get(tenant, 0) > 0

    def unlimited(self, tenant: str, scope: Scope) -> QuotaLimits:
        """Return the settings of a scope without limits: those it was set to last, or the built-in ones."""
        return self._without.get((tenant, scope), _UNSET)

    def time_zone(self, tenant: str) -> str:
        """Return the name of the time zone of the tenant's months."""
        return self._zones.get(tenant, "UTC")

    def everything(self) -> Mapping[str, Mapping[Scope, QuotaLimits]]:
        """Return the limited scopes of every tenant that has any."""
        return self._limits

    def month(self, tenant: str, at: datetime) -> str:
        """Return the tenant's calendar month at an instant, such as `2026-11`."""
        known = self._months.get(tenant)
        if known is None or not known[0].holds(at):
            period = self.period(tenant, at)
            middle = period.start + (period.end - period.start) / 2
            known = self._months[tenant] = (period, f"{middle:%Y-%m}")
        return known[1]

    def period(self, tenant: str, at: datetime) -> Period:
        """Return the bounds of the tenant's month, UTC."""
        return month_of(at, self.time_zone(tenant))
