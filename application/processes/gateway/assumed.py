"""The record of a request whose process died over it: what it may have used at most, marked as estimated."""

from __future__ import annotations

import time
from typing import cast

import msgspec

from application.processes.gateway.trace import Trace
from domain.kernel.request_record import Attempt, RequestRecorded, TokenCounts

ASSUMED = "assumed"


def assumed(trace: Trace, usage: TokenCounts, cost_micros: int) -> RequestRecorded:
    """Return what is recorded if nobody else comes to it; it names no person and holds no text."""
    target = trace.present or trace.route.targets[0]
    began = trace.call.started
    unknown = Attempt(
        provider=target.provider,
        model=target.model,
        outcome="unknown",
        started_ms=0,
        duration_ms=round((time.monotonic() - began) * 1000),
        usage=usage,
        usage_source="estimated",
        cost_micros=cost_micros,
        detail="the process that served the request died; its upper bound is assumed",
    )
    (stored,) = trace.event("interrupted", 503, error_code=ASSUMED).events
    recorded = cast("RequestRecorded", stored.event)
    return msgspec.structs.replace(
        recorded,
        attempts=(*trace.attempts, unknown),
        provider=target.provider,
        model=target.model,
        usage=usage,
        usage_source="estimated",
        cost_micros=cost_micros,
        unpriced=False,
        user=None,
        prompt=None,
        answer=None,
    )
