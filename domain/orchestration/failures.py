"""What a failed attempt means: give the failure to the caller, try the next target, or a larger one.

It speaks in plain values (the kind of failure, the status, what the provider said), so that it knows no
transport. Kinds are those of the port to providers; `status` is an HTTP answer outside 200 to 299.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from domain.orchestration.catalogue import Catalogue, Target


class FailureClass(StrEnum):
    """What to do about a failed attempt, as long as no content has reached the caller."""

    TERMINAL = "terminal"  # the request itself is at fault: every target would say the same
    FALLBACK = "fallback"  # another target may answer
    CAPABILITY = "capability"  # a target with a larger context window may answer


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a failure means.

    `quick_retry`: once more on the same target, at once, for a connection that broke. `throttled`: the
    provider asked us to slow down. `credential_refused`: our own credential is bad, which is an alert.
    `counts`: it says something about the provider's health.
    """

    failure: FailureClass
    reason: str
    quick_retry: bool = False
    throttled: bool = False
    credential_refused: bool = False
    counts: bool = True


TRANSPORT_KINDS = frozenset(
    {
        "refused",
        "reset",
        "dns",
        "tls",
        "timeout_connect",
        "timeout_first_byte",
        "timeout_idle",
        "cut",
        "malformed",
        "too_large",
        "egress_forbidden",
        "not_ready",
    }
)
STATUS_KIND = "status"
_CREDENTIAL = frozenset({401, 402, 403})
_TRY_ELSEWHERE = frozenset({408, 409, 425})  # a timeout, a lock, "too early": not the request's fault


def classify(kind: str, status: int | None = None, *, context_too_long: bool = False) -> Verdict:
    """Return what a failure means; `context_too_long` is what the provider's error body says.

    Raises ValueError for a kind that is not known here.
    """
    if kind == STATUS_KIND and status is not None:
        return _of_status(status, context_too_long=context_too_long)
    if kind not in TRANSPORT_KINDS:
        raise ValueError(f"unknown kind of failure '{kind}'")
    return Verdict(
        failure=FailureClass.FALLBACK,
        reason=kind,
        quick_retry=kind == "reset",
        counts=kind not in {"egress_forbidden", "not_ready"},
    )


def larger_than(failed: Target, rest: Sequence[Target], catalogue: Catalogue) -> tuple[Target, ...]:
    """Return those of the remaining targets whose context window may be larger than the failed one's.

    A target whose window nobody stated may be larger.
    """
    window = _window(failed, catalogue)
    if window is None:
        return tuple(rest)
    return tuple(target for target in rest if (_window(target, catalogue) or window + 1) > window)


def _of_status(status: int, *, context_too_long: bool) -> Verdict:
    reason = f"status_{status}"
    if context_too_long:
        return Verdict(failure=FailureClass.CAPABILITY, reason="context_too_long", counts=False)
    if status == 429:
        return Verdict(failure=FailureClass.FALLBACK, reason=reason, throttled=True)
    if status in _CREDENTIAL:
        return Verdict(failure=FailureClass.FALLBACK, reason=reason, credential_refused=True)
    if 400 <= status < 500 and status not in _TRY_ELSEWHERE:
        return Verdict(failure=FailureClass.TERMINAL, reason=reason, counts=False)
    return Verdict(failure=FailureClass.FALLBACK, reason=reason)


def _window(target: Target, catalogue: Catalogue) -> int | None:
    spec = catalogue.spec(target)
    return spec.context_window if spec else None
