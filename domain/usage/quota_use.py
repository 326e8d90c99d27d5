"""What one recorded request counts towards quotas: the one rule for memory, counters and replay."""

from __future__ import annotations

from domain.kernel.request_record import RequestRecorded, TokenCounts

_NONE = TokenCounts()


def is_metered(event: RequestRecorded) -> bool:
    """Tell whether a request is usage: refused requests and counting tokens are not."""
    return bool(event.attempts) and event.operation != "count_tokens"


def usage_of(event: RequestRecorded) -> tuple[int, int]:
    """Return what a request used: (tokens, micro-dollars); nothing when it is not usage."""
    if not is_metered(event):
        return 0, 0
    return (event.usage or _NONE).total, event.cost_micros or 0
