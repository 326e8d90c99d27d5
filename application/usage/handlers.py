"""Usage's use cases: load, decide, save."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

from application.bus import Command, Work
from application.usage.answers import QuotaSetAnswer
from application.usage.commands import SetQuota
from application.usage.money import check_currency
from application.usage.ports import UsagePorts
from domain.kernel.errors import Forbidden, InvalidInput
from domain.kernel.values import MICROS
from domain.usage.quota import MOST_MICROS, QuotaLimits, Scope
from domain.usage.quota_aggregate import Quota

WRITERS = ("admin", "operator")
COST = "/monthly_cost_limit_usd"


async def set_quota(command: SetQuota, work: Work, ports: UsagePorts) -> QuotaSetAnswer:
    """Set a scope's limits. Raises Forbidden, InvalidInput."""
    work.caller.require(*WRITERS)
    check_currency(command.currency)
    own = work.caller.workspace
    if own is not None and (command.scope, command.id) != ("workspace", own):
        raise Forbidden(f"this key is bound to workspace '{own}' and sets the quota of no other scope")
    limits = QuotaLimits(
        monthly_token_limit=command.monthly_token_limit,
        monthly_cost_limit_micros=micros_limit(command.monthly_cost_limit_usd),
        hard_cap_enabled=command.hard_cap_enabled,
        soft_cap_enabled=command.soft_cap_enabled,
        soft_cap_threshold=command.soft_cap_threshold,
        shrink_max_tokens=command.shrink_max_tokens,
        time_zone=command.time_zone,
    )
    scope = named_scope(command, work.caller.tenant, ports)
    quota = await work.load(Quota, scope.entity_id)
    quota.set(scope, limits, work.at)
    await work.save(quota)
    if work.duplicate:
        quota = await work.load(Quota, scope.entity_id)
    return QuotaSetAnswer(scope=scope, version=quota.number, limits=quota.limits)


def named_scope(command: SetQuota, tenant: str, ports: UsagePorts) -> Scope:
    """Return the scope that is meant; a user stands in it as a pseudonym."""
    if command.scope == "user" and command.id:
        return Scope("user", ports.subject_reference(tenant, command.id))
    return Scope(command.scope, command.id)


def micros_limit(usd: Decimal | None) -> int | None:
    """Convert dollars to micro-dollars. Raises InvalidInput for what no limit can be."""
    if usd is None:
        return None
    most = MOST_MICROS // MICROS
    if not usd.is_finite() or not 0 < usd <= most or usd * MICROS % 1 != 0:
        detail = f"use 0.000001 to {most} US dollars with at most 6 decimals; null removes the limit"
        raise InvalidInput.at(COST, detail)
    return int(usd * MICROS)


HANDLERS: Mapping[type[Command], Callable[[Any, Work, UsagePorts], Awaitable[Any]]] = {SetQuota: set_quota}
