"""How one latency budget is shared among the targets of a request; pure arithmetic in milliseconds.

Every attempt leaves the targets to come the time that one of them usually needs, so that a hanging first
target does not use up the budget of its fallbacks. A target that is usually too slow for what remains is
left out when another one is not, or when it has no chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

UNMEASURED_SHARE = 1 / 3
"""What is kept back of the remaining time for a target that nobody has measured lately."""
FEWEST_FOR_P95 = 5


class Pace(msgspec.Struct, frozen=True):
    """How long a target takes up to its first content (of a whole answer: to its end), as measured lately.

    `p95_ms` is None where too few answers were measured to say.
    """

    median_ms: float
    p95_ms: float | None = None


def fits(remaining_ms: float, own: Pace | None) -> bool:
    """Tell whether a target usually answers within what remains; one that was not measured may."""
    return own is None or own.p95_ms is None or own.p95_ms <= remaining_ms


def hopeless(remaining_ms: float, own: Pace | None) -> bool:
    """Tell whether a target hardly ever answers within what remains: half of its median is too long."""
    return own is not None and own.median_ms > 2 * remaining_ms


def attempt_ms(remaining_ms: float, own: Pace | None, coming: Sequence[Pace | None]) -> float:
    """Return how long an attempt may take: what remains, less the largest median of the targets to come.

    An attempt gets no less than the target's own p95 where that fits, for cutting it short would spoil it
    and help nobody. For targets that need more than all of it nothing is kept back.
    """
    kept = [
        remaining_ms * UNMEASURED_SHARE if pace is None else pace.median_ms
        for pace in coming
        if pace is None or pace.median_ms < remaining_ms
    ]
    usual = own.p95_ms if own is not None and own.p95_ms is not None else 0.0
    return min(max(remaining_ms - max(kept, default=0.0), usual), remaining_ms)
