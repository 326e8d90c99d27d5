"""What a simulation answers. Money is in millionths of a US dollar, latency in milliseconds."""

from __future__ import annotations

from datetime import datetime

import msgspec


class TargetShare(msgspec.Struct, frozen=True, kw_only=True):
    """One target in the window: how many requests had it first, then and under the draft.

    `answers` counts the requests it would have answered, `cost_micros` what those would have cost, and
    `latency_ms` the median of its answers; null when it was never measured.
    """

    target: str
    requests: int
    recorded_requests: int
    answers: int
    cost_micros: int
    unpriced: int
    latency_ms: float | None


class ChangedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that would have gone elsewhere: the targets in order, then and under the draft."""

    request_id: str
    started_at: datetime
    recorded: tuple[str, ...]
    simulated: tuple[str, ...]
    why: str


class RefusedRequests(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that the draft could not route, by reason, with the ids of a few."""

    code: str
    detail: str
    requests: int
    request_ids: tuple[str, ...]


class CostComparison(msgspec.Struct, frozen=True, kw_only=True):
    """What the window cost, and would have cost; `unpriced` requests are left out of the latter."""

    actual: int
    simulated: int
    unpriced: int


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """The latency of whole requests."""

    avg: float | None
    p50: float | None
    p95: float | None


class LatencyComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Latency then, and as it would have been by the medians of the targets.

    `unmeasured` requests would have gone to targets of which nothing is known; they are left out. Of
    `over_budget` requests the target's median is above the draft's latency budget.
    """

    actual: Spread
    simulated: Spread
    unmeasured: int
    over_budget: int


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """A window's requests under a draft policy.

    `unchanged` would have had the same targets in the same order, `fallbacks_changed` the same first one,
    `rerouted` another one. `changed` is a sample of the latter two. `truncated`: the window holds more.
    """

    workspace_id: str
    requests: int
    unchanged: int
    fallbacks_changed: int
    rerouted: int
    total_tokens: int
    routes: list[TargetShare]
    changed: list[ChangedRequest]
    cost_micros: CostComparison
    latency_ms: LatencyComparison
    refused: list[RefusedRequests]
    truncated: bool
