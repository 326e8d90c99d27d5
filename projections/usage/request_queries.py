"""Reads single requests: the full record of one, a page of them, and the export of a period.

Every query takes a connection in a tenant's scope; the export opens one for each page, so that a slow reader
keeps neither a connection nor a transaction.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.kernel.errors import InvalidInput
from domain.kernel.request_record import Attempt, Decision, PiiReport, TokenCounts
from domain.kernel.values import usd_text
from projections.checkpoints import as_of
from projections.usage.answers import (
    AttemptRecord,
    RequestPage,
    RequestRecord,
    Tokens,
    UsageEvent,
)
from projections.usage.correction_queries import list_corrections
from projections.usage.periods import cut
from projections.usage.tables import usage_requests, usage_users

OpenConnection = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
EXPORT_PAGE = 2000
MOST_ON_A_PAGE = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_r = usage_requests.c
_PLACE = (_r.started_at, _r.position)
_EVENT_COLUMNS = tuple(
    _r[name] for name in UsageEvent.__struct_fields__ if name not in ("user", "total_tokens", "cost_usd")
)


class RequestFilters(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests to list; None leaves a field open. `since` and `until` bound the start, half-open."""

    workspace: str | None = None
    segment: str | None = None
    provider: str | None = None
    model: str | None = None
    key_id: str | None = None
    subject: str | None = None
    session: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def request_record(conn: AsyncConnection, request_id: str) -> RequestRecord | None:
    """Return the full record of a request of the tenant, None when there is none."""
    query = _with_user(_r.recorded_at, _r.text_stored, _r.decision, _r.attempts, _r.pii)
    newest = query.where(_r.request_id == request_id).order_by(_r.position.desc()).limit(1)
    row = (await conn.execute(newest)).mappings().first()
    if row is None:
        return None
    fields = _fields(row)
    attempts = msgspec.convert(fields.pop("attempts"), list[Attempt])
    counts = {name: fields[name] for name in Tokens.__struct_fields__}
    corrected = await list_corrections(conn, request_id=request_id) if fields["corrections"] else []
    versions = [attempt.price_version for attempt in attempts if attempt.price_version]
    return RequestRecord(
        **fields
        | {
            "decision": msgspec.convert(fields["decision"], Decision),
            "pii": msgspec.convert(fields["pii"], PiiReport | None),
        },
        attempts=[_attempt(attempt) for attempt in attempts],
        usage=Tokens(**counts) if any(count is not None for count in counts.values()) else None,
        price_version=versions[-1] if versions else None,
        corrected=corrected,
    )


async def request_position(conn: AsyncConnection, request_id: str) -> int | None:
    """Return where the record of a request stands in the log, None when there is none."""
    query = select(_r.position).where(_r.request_id == request_id).order_by(_r.position.desc()).limit(1)
    found: int | None = (await conn.execute(query)).scalar_one_or_none()
    return found


async def list_requests(
    conn: AsyncConnection,
    limit: int = 50,
    cursor: str | None = None,
    filters: RequestFilters | None = None,
) -> RequestPage:
    """Return a page of the tenant's requests, newest first, refused ones included.

    Raises InvalidInput for a limit outside 1 to 500 or a cursor that did not come from here.
    """
    if not 1 <= limit <= MOST_ON_A_PAGE:
        raise InvalidInput.at("limit", f"give a number from 1 to {MOST_ON_A_PAGE}")
    query = _filtered(_with_user(), filters or RequestFilters())
    if cursor is not None:
        query = query.where(tuple_(*_PLACE) < tuple_(*_decode_cursor(cursor)))
    newest_first = query.order_by(_r.started_at.desc(), _r.position.desc()).limit(limit + 1)
    items = await _events(conn, newest_first)
    more = len(items) > limit
    return RequestPage(items[:limit], _encode_cursor(items[limit - 1]) if more else None)


def usage_events(
    connect: OpenConnection, from_: datetime, to: datetime, page: int = EXPORT_PAGE
) -> AsyncIterator[UsageEvent]:
    """Iterate over the tenant's metered requests started in [from_, to), oldest first.

    `connect` opens a connection in the tenant's scope. What is projected while the export runs is left out.
    Raises InvalidInput for a bad period, at once.
    """
    cut(from_, to)
    return _export(connect, from_, to, page)


async def _export(
    connect: OpenConnection, from_: datetime, to: datetime, page: int
) -> AsyncIterator[UsageEvent]:
    async with connect() as conn:
        upto = (await conn.execute(select(as_of("usage")))).scalar_one()
    query = (
        _with_user()
        .where(_r.metered, _r.position <= upto, _r.started_at >= from_, _r.started_at < to)
        .order_by(*_PLACE)
        .limit(page)
    )
    following = query
    while True:
        async with connect() as conn:
            events = await _events(conn, following)
        for event in events:
            yield event
        if len(events) < page:
            return
        following = query.where(tuple_(*_PLACE) > tuple_(events[-1].started_at, events[-1].position))


async def _events(conn: AsyncConnection, query: Select[Any]) -> list[UsageEvent]:
    return [UsageEvent(**_fields(row)) for row in (await conn.execute(query)).mappings()]


def _with_user(*more: Any) -> Select[Any]:
    return select(*_EVENT_COLUMNS, usage_users.c.name.label("user"), *more).outerjoin_from(
        usage_requests, usage_users, usage_users.c.subject == _r.subject
    )


def _filtered(query: Select[Any], filters: RequestFilters) -> Select[Any]:
    for name in ("workspace", "segment", "provider", "model", "key_id", "subject", "session", "outcome"):
        value = getattr(filters, name)
        if value is not None:
            query = query.where(_r[name] == value)
    if filters.since is not None:
        query = query.where(_r.started_at >= filters.since)
    if filters.until is not None:
        query = query.where(_r.started_at < filters.until)
    return query


def _fields(row: Mapping[Any, Any]) -> dict[str, Any]:
    fields = dict(row)
    cost = fields["cost_micros"]
    fields["cost_usd"] = None if cost is None else usd_text(cost)
    fields["total_tokens"] = _total(fields["input_tokens"], fields["output_tokens"])
    return fields


def _total(input_tokens: int | None, output_tokens: int | None) -> int | None:
    if input_tokens is None and output_tokens is None:
        return None
    return (input_tokens or 0) + (output_tokens or 0)


def _attempt(attempt: Attempt) -> AttemptRecord:
    fields = msgspec.structs.asdict(attempt)
    fields["usage"] = _tokens(attempt.usage) if attempt.usage else None
    fields["cost_usd"] = None if attempt.cost_micros is None else usd_text(attempt.cost_micros)
    return AttemptRecord(**fields)


def _tokens(usage: TokenCounts) -> Tokens:
    return Tokens(
        input_tokens=usage.input,
        output_tokens=usage.output,
        total_tokens=_total(usage.input, usage.output),
        cached_tokens=usage.cached_input,
        cache_write_tokens=usage.cache_write,
        reasoning_tokens=usage.reasoning,
        audio_input_tokens=usage.audio_input,
        audio_output_tokens=usage.audio_output,
        web_searches=usage.web_searches,
    )


def _encode_cursor(last: UsageEvent) -> str:
    micros = (last.started_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{micros}.{last.position}".encode()).decode()


def _decode_cursor(cursor: str) -> tuple[datetime, int]:
    try:
        micros, _, position = base64.urlsafe_b64decode(cursor.encode()).decode().partition(".")
        return _EPOCH + timedelta(microseconds=int(micros)), int(position)
    except (ValueError, OverflowError, binascii.Error):
        raise InvalidInput.at("cursor", "use the next_cursor of an earlier answer as it stands") from None
