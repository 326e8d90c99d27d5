"""Quotas: setting a scope's monthly limits, and where it stands."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, Router
from litestar.params import JSONBody, QueryParameter

from application.usage.commands import SetQuota
from domain.kernel.errors import Forbidden, InvalidInput
from domain.kernel.values import MICROS, usd_text
from domain.usage.quota import LONGEST_ID, QuotaLimits, Scope, ScopeKind, State, Unit, state_of
from interfaces.http.request import ApiRequest
from interfaces.http.routing import OPERATORS, USERS, read, replace
from interfaces.http.writes import HEADER
from projections.usage.quota_queries import QuotaUse, quota_use

Kind = Annotated[
    ScopeKind | None,
    QueryParameter(name="scope", description="Whose quota is meant; the tenant's if left off."),
]
Id = Annotated[
    str | None,
    QueryParameter(name="id", max_length=LONGEST_ID, description="Which workspace, key, user or segment."),
]
Amount = int | float


class QuotaView(msgspec.Struct, frozen=True, kw_only=True):
    """A scope's limits and its current month.

    `used`, `held` (by requests under way) and `remaining` are in `unit`: tokens, or US dollars where only
    money is limited; the same in each unit stand beside. `remaining` is null without a limit.
    """

    scope: ScopeKind
    id: str
    monthly_token_limit: int | None
    monthly_cost_limit_usd: str | None
    monthly_cost_limit_micros: int | None
    hard_cap_enabled: bool
    soft_cap_enabled: bool
    soft_cap_threshold: float
    shrink_max_tokens: bool
    time_zone: str
    unit: str
    used: Amount
    held: Amount
    remaining: Amount | None
    state: State
    period_start: datetime
    period_end: datetime
    used_tokens: int
    held_tokens: int
    used_micros: int
    used_usd: str
    held_micros: int
    held_usd: str


class QuotaWritten(QuotaView, frozen=True, kw_only=True):
    """The quota as it is now."""

    position: int


@replace("/usage/quota", roles=OPERATORS, summary="Set a quota", operation_id="setQuota")
async def set_quota(
    request: ApiRequest, data: JSONBody[SetQuota], kind: Kind = None, scope_id: Id = None
) -> Response[QuotaWritten]:
    """Set a scope's limits as a whole; they govern the next request on every process."""
    if kind is not None or scope_id is not None:
        data = _merged(data, kind, scope_id)
    outcome = await request.dispatch(data)
    found = outcome.result
    view = await _view(request, found.scope, data.id, found.limits)
    fields = {name: getattr(view, name) for name in view.__struct_fields__}
    body = QuotaWritten(position=outcome.position, **fields)
    return Response(body, headers={HEADER: str(outcome.position)})


@read("/usage/quota", roles=USERS, summary="Read a quota", operation_id="getQuota")
async def get_quota(request: ApiRequest, kind: Kind = None, scope_id: Id = None) -> QuotaView:
    """Return a scope's limits, and what it used and holds this month, as of now."""
    named, id_ = kind or "tenant", scope_id or ""
    if (named == "tenant") != (id_ == ""):
        detail = "the tenant's own quota has no id" if id_ else f"name the {named} whose quota is meant"
        raise InvalidInput.at("/id", detail)
    own = request.caller.workspace
    if own is not None and named != "tenant" and (named, id_) != ("workspace", own):
        raise Forbidden(f"this key is bound to workspace '{own}' and reads its quota and the tenant's alone")
    quotas, tenant = request.services.quotas, request.caller.tenant
    stored = quotas.subject_reference(tenant, id_) if named == "user" else id_
    scope = Scope(named, stored)
    limits = quotas.directory.limits(tenant).get(scope)
    return await _view(request, scope, id_, limits or quotas.directory.unlimited(tenant, scope))


def _merged(data: SetQuota, kind: ScopeKind | None, scope_id: str | None) -> SetQuota:
    """Return the command with the scope that the query names; the body may repeat it, not contradict."""
    for name, given, said, default in (
        ("scope", kind, data.scope, "tenant"),
        ("id", scope_id, data.id, ""),
    ):
        if given is not None and said not in {default, given}:
            raise InvalidInput.at(f"/{name}", f"the query says '{given}', the body '{said}'; give it once")
    return msgspec.structs.replace(
        data, scope=kind if kind is not None else data.scope, id=data.id if scope_id is None else scope_id
    )


async def _view(request: ApiRequest, scope: Scope, shown_id: str, limits: QuotaLimits) -> QuotaView:
    quotas, tenant, now = request.services.quotas, request.caller.tenant, request.services.clock()
    await quotas.tell()
    async with request.reading() as conn:
        use = await quota_use(conn, scope, quotas.directory.month(tenant, now))
    period = quotas.directory.period(tenant, now)
    unit: Unit = limits.units[0] if limits.units else "tokens"
    used, held = _amounts(unit, use)
    limit, money = limits.limit(unit), limits.monthly_cost_limit_micros
    states = [state_of(limits, each, *_amounts(each, use)) for each in limits.units]
    return QuotaView(
        scope=scope.kind,
        id=shown_id,
        monthly_token_limit=limits.monthly_token_limit,
        monthly_cost_limit_usd=None if money is None else usd_text(money),
        monthly_cost_limit_micros=money,
        hard_cap_enabled=limits.hard_cap_enabled,
        soft_cap_enabled=limits.soft_cap_enabled,
        soft_cap_threshold=limits.soft_cap_threshold,
        shrink_max_tokens=limits.shrink_max_tokens,
        time_zone=quotas.directory.time_zone(tenant),
        unit="tokens" if unit == "tokens" else "usd",
        used=_shown(unit, used),
        held=_shown(unit, held),
        remaining=None if limit is None else _shown(unit, max(0, limit - used - held)),
        state=max(states, key=("ok", "warning", "exceeded").index, default="ok"),
        period_start=period.start,
        period_end=period.end,
        used_tokens=use.used_tokens,
        held_tokens=use.held_tokens,
        used_micros=use.used_micros,
        used_usd=usd_text(use.used_micros),
        held_micros=use.held_micros,
        held_usd=usd_text(use.held_micros),
    )


def _amounts(unit: Unit, use: QuotaUse) -> tuple[int, int]:
    if unit == "tokens":
        return use.used_tokens, use.held_tokens
    return use.used_micros, use.held_micros


def _shown(unit: Unit, amount: int) -> Amount:
    return amount if unit == "tokens" else amount / MICROS


router = Router("/", route_handlers=[set_quota, get_quota], tags=["usage"])
