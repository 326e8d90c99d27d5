"""What the tenant used: totals, breakdowns, and every request as an export."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Literal

import msgspec
from litestar import Router
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import Stream

from domain.kernel.errors import Forbidden
from domain.kernel.values import month_of
from interfaces.http.export import as_csv, as_jsonl, started
from interfaces.http.parameters import From, To, period
from interfaces.http.request import ApiRequest
from interfaces.http.routing import USERS, read
from projections.orchestration.shadow_queries import ShadowTotals, shadow_totals
from projections.usage import queries
from projections.usage.answers import By, Interval, UsageBreakdown, UsageEvent, UsageSummary
from projections.usage.request_queries import usage_events

Dimension = Annotated[By, QueryParameter(name="by", description="What to break the usage down by.")]
Step = Annotated[
    Interval | None, QueryParameter(name="interval", description="Also by UTC interval of this length.")
]
Format = Annotated[
    Literal["jsonl", "csv"], QueryParameter(name="format", description="One JSON object a line, or CSV.")
]
JSONL = "application/x-ndjson"
CSV = "text/csv"


class SummaryView(UsageSummary, frozen=True, kw_only=True):
    """A tenant's usage in [period_start, period_end), with every event up to `as_of_position`.

    The `shadow` requests of experiments are no part of it; they are summed up beside it.
    """

    shadow: ShadowTotals


@read("/usage/summary", roles=USERS, summary="Sum up the usage", operation_id="getUsageSummary")
async def get_summary(request: ApiRequest, since: From = None, until: To = None) -> SummaryView:
    """Sum up requests, tokens, cost and latency of a period; of the current month without dates.

    A key bound to a workspace sees the usage of its workspace.
    """
    start, end = span(request, since, until)
    await request.services.read_barrier()
    own = request.caller.workspace
    async with request.reading() as conn:
        shadow = await shadow_totals(conn, start, end, own)
        if own is None:
            found = await queries.usage_summary(conn, start, end)
        else:
            shares = await queries.usage_breakdown(conn, "workspace", None, start, end)
            found = _share(shares, own, await queries.usage_summary(conn, start, start))
    return SummaryView(**msgspec.structs.asdict(found), shadow=shadow)


@read("/usage/breakdown", roles=USERS, summary="Break the usage down", operation_id="getUsageBreakdown")
async def get_breakdown(
    request: ApiRequest, by: Dimension, interval: Step = None, since: From = None, until: To = None
) -> UsageBreakdown:
    """Break a period's usage down by one dimension, dearest first; the current month without dates."""
    own = request.caller.workspace
    if own is not None and by != "workspace":
        raise Forbidden(f"this key is bound to workspace '{own}' and reads usage by workspace only")
    start, end = span(request, since, until)
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = await queries.usage_breakdown(conn, by, interval, start, end)
    if own is None:
        return found
    return msgspec.structs.replace(found, items=[item for item in found.items if item.workspace == own])


@read(
    "/usage/events",
    roles=USERS,
    responses={
        200: ResponseSpec(
            UsageEvent, media_type=JSONL, generate_examples=False, description="One request a line."
        )
    },
    opt={"also_answers": (CSV,)},
    summary="Export the usage",
    operation_id="exportUsage",
)
async def export_usage(
    request: ApiRequest, file_format: Format = "jsonl", since: From = None, until: To = None
) -> Stream:
    """Export every metered request of a period, oldest first, as JSON lines or CSV."""
    start, end = span(request, since, until)
    await request.services.read_barrier()
    events = usage_events(partial(request.services.reading, request.caller.tenant), start, end)
    own = request.caller.workspace
    wanted = events if own is None else (event async for event in events if event.workspace == own)
    chunks = as_csv(wanted, UsageEvent) if file_format == "csv" else as_jsonl(wanted)
    return Stream(
        await started(chunks),
        media_type=CSV if file_format == "csv" else JSONL,
        headers={"content-disposition": f'attachment; filename="usage.{file_format}"'},
    )


def span(request: ApiRequest, since: str | None, until: str | None) -> tuple[datetime, datetime]:
    """Return the bounds that `from` and `to` ask for; what is left off is that of the tenant's month."""
    start, end = period(since, until)
    zone = request.services.quotas.directory.time_zone(request.caller.tenant)
    month = month_of(start or end or request.services.clock(), zone)
    return start or month.start, end or max(month.end, month_of(request.services.clock(), zone).end)


def _share(shares: UsageBreakdown, workspace: str, empty: UsageSummary) -> UsageSummary:
    item = next((item for item in shares.items if item.workspace == workspace), None)
    totals = {} if item is None else {name: getattr(item, name) for name in _TOTALS}
    bounds = {"period_start": shares.period_start, "period_end": shares.period_end}
    return msgspec.structs.replace(empty, as_of_position=shares.as_of_position, **bounds, **totals)


_TOTALS = tuple(
    name
    for name in UsageSummary.__struct_fields__
    if name not in {"as_of_position", "period_start", "period_end"}
)
router = Router("/", route_handlers=[get_summary, get_breakdown, export_usage], tags=["usage"])
