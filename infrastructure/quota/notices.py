"""The commands that tell of a cap; their ids make each of them one a scope and month, whoever notices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from application.ports import AppendRequest, NewEvent
from domain.kernel.aggregate import stream_id
from domain.kernel.events import Event
from domain.usage.events import HardCapReached, SoftCapReached
from domain.usage.quota import Account, QuotaLimits, Scope
from domain.usage.quota_aggregate import Quota

Notice = Callable[[Account, QuotaLimits, int, datetime], AppendRequest]


def soft_cap_reached(account: Account, limits: QuotaLimits, used: int, at: datetime) -> AppendRequest:
    """Return the command that tells of a crossed soft threshold."""
    event = SoftCapReached(
        scope=account.kind,
        scope_id=account.id,
        month=account.month,
        unit=account.unit,
        used=used,
        limit=limits.limit(account.unit) or 0,
        threshold=limits.soft_cap_threshold,
        reached_at=at,
    )
    return _told("soft-cap", account, event)


def hard_cap_reached(account: Account, limits: QuotaLimits, used: int, at: datetime) -> AppendRequest:
    """Return the command that tells of a hard cap that refuses."""
    event = HardCapReached(
        scope=account.kind,
        scope_id=account.id,
        month=account.month,
        unit=account.unit,
        used=used,
        limit=limits.limit(account.unit) or 0,
        reached_at=at,
    )
    return _told("hard-cap", account, event)


def _told(what: str, account: Account, event: Event) -> AppendRequest:
    scope = Scope(account.kind, account.id)
    return AppendRequest(
        tenant=account.tenant,
        command_id=f"{what}/{scope.entity_id}/{account.month}",
        events=(NewEvent(stream_id(account.tenant, Quota.KIND, scope.entity_id), event),),
        correlation=f"{what}-{account.month}",
        actor="system/quota",
    )
