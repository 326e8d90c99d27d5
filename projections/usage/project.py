"""Folds records of gateway requests and their corrections into request rows, rollups and histograms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

from domain.kernel.events import Envelope, Event
from domain.kernel.request_record import RequestRecorded, TokenCounts
from domain.kernel.usage_correction import UsageCorrected
from domain.usage.erasure_events import RequestRekeyed, RequestSubjectsErased
from projections.ops import Add, Delete, Insert, RowOp, Update, Upsert
from projections.projection import Handler, Projection
from projections.usage.latency import bin_of
from projections.usage.tables import (
    LATENCY_DIMENSIONS,
    usage_corrections,
    usage_latency,
    usage_requests,
    usage_rollups,
    usage_users,
)

LONGEST_VALUE = 256
_NO_TOKENS = TokenCounts()


def request_recorded(envelope: Envelope[RequestRecorded]) -> Iterable[RowOp]:
    """Keep the request; count it unless it was refused before any provider was called."""
    event = envelope.event
    yield Insert(usage_requests, _row(envelope))
    if event.subject and isinstance(event.user, str):
        yield Upsert(
            usage_users, {"tenant": envelope.tenant, "subject": cut(event.subject), "name": event.user}
        )
    if is_metered(event):
        yield from _counts(envelope.tenant, event)


def request_rekeyed(envelope: Envelope[RequestRekeyed]) -> Iterable[RowOp]:
    """Know a user's name from where it stands now."""
    event = envelope.event
    if isinstance(event.user, str):
        yield Upsert(
            usage_users, {"tenant": envelope.tenant, "subject": cut(event.subject), "name": event.user}
        )


def request_subjects_erased(envelope: Envelope[RequestSubjectsErased]) -> Iterable[RowOp]:
    """Forget users' names; what they used stays counted under their pseudonyms."""
    for subject in envelope.event.subjects:
        yield Delete(usage_users, {"tenant": envelope.tenant, "subject": cut(subject)})


def is_metered(event: RequestRecorded) -> bool:
    """Tell whether a request is usage: refused requests and counting tokens are not."""
    return bool(event.attempts) and event.operation != "count_tokens"


def cut(value: str | None) -> str:
    """Return a value as rollups know it: '' for none, at most 256 characters, which an index can hold."""
    return value[:LONGEST_VALUE] if value else ""


def _row(envelope: Envelope[RequestRecorded]) -> Mapping[str, Any]:
    event = envelope.event
    usage = event.usage or _NO_TOKENS
    return {
        "tenant": envelope.tenant,
        "position": envelope.position,
        "request_id": event.request_id,
        "started_at": event.started_at,
        "recorded_at": envelope.recorded_at,
        "metered": is_metered(event),
        "operation": event.operation,
        "dialect": event.dialect,
        "stream": event.stream,
        "workspace": cut(event.workspace),
        "key_id": cut(event.key_id),
        "segment": cut(event.segment) or None,
        "session": event.session,
        "subject": cut(event.subject) or None,
        "provider": cut(event.provider) or None,
        "model": cut(event.model) or None,
        "outcome": event.outcome,
        "status": event.status,
        "error_code": event.error_code,
        "finish_reason": event.finish_reason,
        "fallback_reason": event.fallback_reason,
        "duration_ms": event.duration_ms,
        "first_content_ms": event.first_content_ms,
        "latency_bin": bin_of(event.duration_ms),
        "usage_source": event.usage_source,
        **_tokens(usage),
        "cost_micros": event.cost_micros,
        "unpriced": event.unpriced,
        "corrections": 0,
        "text_stored": event.prompt is not None or event.answer is not None,
        "decision": event.decision,
        "attempts": event.attempts,
        "pii": event.pii,
    }


def _tokens(usage: TokenCounts) -> dict[str, int | None]:
    """Return counts by the names of their columns."""
    return {
        "input_tokens": usage.input,
        "cached_tokens": usage.cached_input,
        "cache_write_tokens": usage.cache_write,
        "output_tokens": usage.output,
        "reasoning_tokens": usage.reasoning,
        "audio_input_tokens": usage.audio_input,
        "audio_output_tokens": usage.audio_output,
        "web_searches": usage.web_searches,
    }


def _counts(tenant: str, event: RequestRecorded) -> Iterable[RowOp]:
    keys = _keys(tenant, event)
    yield Add(usage_rollups, keys, _amounts(event))
    bin_ = bin_of(event.duration_ms)
    yield Add(usage_latency, [(*key, bin_) for key in keys if key[1] in LATENCY_DIMENSIONS], {"requests": 1})


def _keys(tenant: str, event: RequestRecorded | UsageCorrected) -> list[tuple[Any, ...]]:
    """Return the keys of the rollups that a request counts in."""
    values = (
        ("total", ""),
        ("workspace", cut(event.workspace)),
        ("segment", cut(event.segment)),
        ("provider", cut(event.provider)),
        ("model", cut(event.model)),
        ("key", cut(event.key_id)),
        ("user", cut(event.subject)),
    )
    hour = event.started_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    starts = (("hour", hour), ("day", day), ("month", day.replace(day=1)))
    return [(tenant, dim, grain, start, value) for grain, start in starts for dim, value in values]


def _amounts(event: RequestRecorded) -> Mapping[str, int]:
    usage = event.usage or _NO_TOKENS
    return {
        "requests": 1,
        "succeeded": int(event.outcome == "succeeded"),
        "estimated": int(event.usage_source == "estimated"),
        "unpriced": int(event.unpriced),
        **{name: count or 0 for name, count in _tokens(usage).items()},
        "cost_micros": event.cost_micros or 0,
        "latency_ms": event.duration_ms,
    }


def usage_corrected(envelope: Envelope[UsageCorrected]) -> Iterable[RowOp]:
    """Let what was corrected count instead, in the period of the request."""
    event = envelope.event
    before, after = _tokens(event.before.usage), _tokens(event.after.usage)
    yield Update(
        usage_requests,
        {"tenant": envelope.tenant, "position": event.corrects_position},
        {
            **after,
            "cost_micros": event.after.cost_micros,
            "unpriced": event.after.unpriced,
            "corrections": event.number,
        },
    )
    more = {name: (after[name] or 0) - (before[name] or 0) for name in before}
    more["cost_micros"] = event.micros_more
    more["unpriced"] = int(event.after.unpriced) - int(event.before.unpriced)
    yield Add(usage_rollups, _keys(envelope.tenant, event), more)
    yield Insert(
        usage_corrections,
        {
            "tenant": envelope.tenant,
            "position": envelope.position,
            "request_id": event.request_id,
            "corrects_position": event.corrects_position,
            "number": event.number,
            "reason": event.reason,
            "corrected_at": event.corrected_at,
            "corrected_by": envelope.actor,
            "workspace": cut(event.workspace),
            "before": event.before,
            "after": event.after,
        },
    )


HANDLERS: Mapping[type[Event], Handler] = {
    RequestRecorded: request_recorded,
    UsageCorrected: usage_corrected,
    RequestRekeyed: request_rekeyed,
    RequestSubjectsErased: request_subjects_erased,
}

USAGE = Projection(
    name="usage",
    version=2,
    tables=(usage_requests, usage_users, usage_rollups, usage_latency, usage_corrections),
    handlers=HANDLERS,
)
