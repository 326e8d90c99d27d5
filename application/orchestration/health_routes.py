"""What the health of targets makes of a route, and how the decision tells it."""

from __future__ import annotations

from typing import Literal

import msgspec

from domain.orchestration.breaker import Gate
from domain.orchestration.catalogue import Target
from domain.orchestration.routing import Route


def without(route: Route, kept: list[Target], skipped: list[tuple[str, str]], first: Gate) -> Route:
    """Return a route without targets that must rest; `first` is the gate of the policy's own first one."""
    decision = route.decision
    avoided: Literal["unhealthy", "throttled"] = "throttled" if first == "throttled" else "unhealthy"
    told = "; ".join(f"{target} is {reason}" for target, reason in skipped)
    return msgspec.structs.replace(
        route,
        targets=tuple(kept),
        avoided=None if kept[0] == route.targets[0] else avoided,
        decision=msgspec.structs.replace(
            decision,
            targets=tuple(map(str, kept)),
            skipped=(*decision.skipped, *skipped),
            why=f"{decision.why} Passed over: {told}.",
        ),
    )


def least_bad(route: Route, targets: list[Target]) -> Route:
    """Return a route whose targets all ought to rest, in a better order."""
    decision = route.decision
    return msgspec.structs.replace(
        route,
        targets=tuple(targets),
        decision=msgspec.structs.replace(
            decision,
            targets=tuple(map(str, targets)),
            least_bad=True,
            why=f"{decision.why} No target is fit for use, so the least bad first: {targets[0]}.",
        ),
    )
