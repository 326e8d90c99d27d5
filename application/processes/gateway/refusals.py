"""Says in the caller's dialect why no target answered."""

from __future__ import annotations

from collections.abc import Mapping

from application.orchestration.dialects.errors import error_message, translate_error
from application.orchestration.dialects.model import Dialect
from application.orchestration.upstream import FailureKind, UpstreamFailure
from application.processes.gateway.outcome import Refused
from application.processes.gateway.trace import Trace

BUDGET_EXHAUSTED = "latency_budget_exhausted"
TOO_SLOW = "too_slow"
OVERLOADED = "upstream_overloaded"
_TIMEOUTS = {FailureKind.TIMEOUT_CONNECT, FailureKind.TIMEOUT_FIRST_BYTE, FailureKind.TIMEOUT_IDLE}


def terminal(trace: Trace, upstream: Dialect, failure: UpstreamFailure) -> Refused:
    """Return a provider's verdict on the request itself, its status and message kept."""
    status = failure.status or 502
    call = trace.call
    body = translate_error(upstream, call.request.dialect, status, failure.body, request_id=call.request_id)
    return Refused(status, "provider_error", error_message(failure.body), body=body)


def all_failed(trace: Trace, failure: UpstreamFailure) -> Refused:
    """Return the error for a request whose last target failed too."""
    status, code, message = _reading(failure)
    if code == OVERLOADED and trace.call.request.dialect == "anthropic":
        status = 529  # what that dialect's clients know an overload by
    attempts = "; ".join(f"{a.provider}/{a.model}: {a.detail or a.outcome}" for a in trace.attempts)
    headers = _retry_after(failure)
    extra: Mapping[str, object] = {"attempts": attempts_of(trace)}
    return Refused(status, code, f"{message} Attempts: {attempts}", headers=headers, extra=extra)


def budget_exhausted(trace: Trace, budget_ms: int) -> Refused:
    """Return the 504 of a request whose latency budget is gone."""
    spent = ", ".join(f"{a.provider}/{a.model} {a.outcome} {a.duration_ms} ms" for a in trace.attempts)
    left_out = [f"{name} ({why})" for name, why in trace.route.decision.skipped if why.startswith(TOO_SLOW)]
    tail = f". Left out: {', '.join(left_out)}" if left_out else ""
    return Refused(
        504,
        BUDGET_EXHAUSTED,
        f"The latency budget of {budget_ms} ms is used up. Attempts: {spent or 'none'}{tail}",
        extra={"attempts": attempts_of(trace)},
    )


def attempts_of(trace: Trace) -> list[dict[str, object]]:
    """Return the attempts so far for machines to read."""
    return [
        {
            "provider": a.provider,
            "model": a.model,
            "outcome": a.outcome,
            "status": a.status,
            "duration_ms": a.duration_ms,
        }
        for a in trace.attempts
    ]


def _reading(failure: UpstreamFailure) -> tuple[int, str, str]:
    if failure.kind is FailureKind.NOT_READY:
        return 503, "model_loading", failure.detail
    if failure.kind in _TIMEOUTS:
        return 504, "upstream_timeout", "The provider did not answer in time."
    if failure.kind is not FailureKind.STATUS:
        return 502, f"upstream_{failure.kind.value}", "The provider could not be reached or broke off."
    return _status_reading(failure.status or 0)


def _status_reading(status: int) -> tuple[int, str, str]:
    match status:
        case 429:
            return 429, "upstream_rate_limited", "The provider limits our rate."
        case 401 | 402 | 403:
            return 502, "upstream_credential_refused", "The provider refuses this installation's credential."
        case 503 | 529:
            return 503, OVERLOADED, "The provider is overloaded."
        case _ if 400 <= status < 500:
            return status, "upstream_error", f"The provider answered {status}."
        case _:
            return 502, "upstream_error", f"The provider answered {status}."


def _retry_after(failure: UpstreamFailure) -> dict[str, str]:
    if failure.retry_after_s is None:
        return {}
    return {"retry-after": str(max(1, round(failure.retry_after_s)))}
