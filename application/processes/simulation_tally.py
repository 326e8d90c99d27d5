"""Sums up a simulation: targets then and under the draft, what the answers would have cost and taken."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Protocol

import msgspec

from application.processes.gateway.call import Prices
from application.processes.simulation_answers import (
    ChangedRequest,
    CostComparison,
    LatencyComparison,
    RefusedRequests,
    Simulation,
    Spread,
    TargetShare,
)
from domain.kernel.request_record import Attempt, Decision, TokenCounts
from domain.orchestration.catalogue import Target
from domain.orchestration.latencies import bin_of, mean_ms, quantile_ms

SAMPLE = 50
NAMED = 5
AT_ONCE = 100  # requests between two turns of the event loop


class PastRequest(Protocol):
    """A recorded request: what its decision looked at, what it was, and what came of it."""

    @property
    def request_id(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def key_id(self) -> str: ...
    @property
    def segment(self) -> str | None: ...
    @property
    def session(self) -> str | None: ...
    @property
    def user(self) -> str | None: ...
    @property
    def decision(self) -> Decision: ...
    @property
    def attempts(self) -> Sequence[Attempt]: ...
    @property
    def usage(self) -> TokenCounts: ...
    @property
    def cost_micros(self) -> int | None: ...
    @property
    def duration_ms(self) -> int: ...


class Redecided(msgspec.Struct, frozen=True):
    """A past request with the targets it would have had, also by their names, and its latency budget."""

    past: PastRequest
    targets: tuple[Target, ...]
    names: tuple[str, ...]
    why: str
    budget_ms: int | None

    @property
    def answered_by(self) -> Target:
        """Return the first target that is not known to have failed this very request."""
        failed = {(a.provider, a.model) for a in self.past.attempts if a.outcome not in {"ok", "cancelled"}}
        good = (target for target in self.targets if (target.provider, target.model) not in failed)
        return next(good, self.targets[0])


class Tally:
    """Sums up a simulation; costs and latencies come last, when the medians of the window are known."""

    def __init__(
        self, tenant: str, prices: Prices, typical_ms: Callable[[str, Target], float | None]
    ) -> None:
        self._tenant = tenant
        self._prices = prices
        self._typical_ms = typical_ms
        self._decided: list[Redecided] = []
        self._measured: dict[Target, Counter[int]] = {}
        self._refused: dict[tuple[str, str], list[str]] = {}
        self._refused_past: list[PastRequest] = []
        self.truncated = False

    def add(self, decided: Redecided) -> None:
        """Count a request that the draft routes."""
        self._decided.append(decided)
        self._measure(decided.past)

    def refuse(self, past: PastRequest, code: str, detail: str) -> None:
        """Count a request that the draft cannot route."""
        self._refused.setdefault((code, detail), []).append(past.request_id)
        self._refused_past.append(past)
        self._measure(past)

    async def result(self, workspace: str) -> Simulation:
        """Return the comparison."""
        everything = [*(decided.past for decided in self._decided), *self._refused_past]
        same = sum(each.names == each.past.decision.targets for each in self._decided)
        first = sum(each.names[:1] == each.past.decision.targets[:1] for each in self._decided)
        await asyncio.sleep(0)
        typical = {target: self._typical(target) for target in self._targets()}
        shares = _Shares(self._tenant, self._prices, typical)
        for number, decided in enumerate(self._decided):
            shares.add(decided)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        return Simulation(
            workspace_id=workspace,
            requests=len(everything),
            unchanged=same,
            fallbacks_changed=first - same,
            rerouted=len(self._decided) - first,
            total_tokens=sum(past.usage.total for past in everything),
            routes=shares.routes(),
            changed=self._sample(),
            cost_micros=shares.cost(sum(past.cost_micros or 0 for past in everything)),
            latency_ms=shares.latency(Counter(bin_of(past.duration_ms) for past in everything)),
            refused=[
                RefusedRequests(code=code, detail=detail, requests=len(ids), request_ids=tuple(ids[:NAMED]))
                for (code, detail), ids in self._refused.items()
            ],
            truncated=self.truncated,
        )

    def _measure(self, past: PastRequest) -> None:
        for attempt in past.attempts:
            if attempt.outcome == "ok":
                target = Target(attempt.provider, attempt.model)
                self._measured.setdefault(target, Counter())[bin_of(attempt.duration_ms)] += 1

    def _targets(self) -> set[Target]:
        return {decided.answered_by for decided in self._decided} | {d.targets[0] for d in self._decided}

    def _typical(self, target: Target) -> float | None:
        found = quantile_ms(self._measured.get(target, {}), 0.5)
        return self._typical_ms(self._tenant, target) if found is None else found

    def _sample(self) -> list[ChangedRequest]:
        changed = (each for each in self._decided if each.names != each.past.decision.targets)
        return [
            ChangedRequest(
                request_id=each.past.request_id,
                started_at=each.past.started_at,
                recorded=each.past.decision.targets,
                simulated=each.names,
                why=each.why,
            )
            for each in islice(changed, SAMPLE)
        ]


class _Shares:
    """Sums by target, and what the answers would have cost and taken."""

    def __init__(self, tenant: str, prices: Prices, typical: dict[Target, float | None]) -> None:
        self._tenant = tenant
        self._prices = prices
        self._typical = typical
        self._first: Counter[str] = Counter()
        self._recorded: Counter[str] = Counter()
        self._answers: Counter[str] = Counter()
        self._cost: Counter[str] = Counter()
        self._unpriced: Counter[str] = Counter()
        self._durations: Counter[int] = Counter()
        self._unmeasured = self._over_budget = 0

    def add(self, decided: Redecided) -> None:
        """Count one request."""
        past, target = decided.past, decided.answered_by
        name = str(target)
        self._first[decided.names[0]] += 1
        self._recorded.update(past.decision.targets[:1])
        self._answers[name] += 1
        last = past.attempts[-1] if past.attempts else None
        same = last is not None and (last.provider, last.model) == (target.provider, target.model)
        cost = past.cost_micros if same else self._price(target, past)
        self._cost[name] += cost or 0
        self._unpriced[name] += cost is None
        duration = past.duration_ms if same else self._typical[target]
        if duration is None:
            self._unmeasured += 1
        else:
            self._durations[bin_of(round(duration))] += 1
            self._over_budget += decided.budget_ms is not None and duration > decided.budget_ms

    def routes(self) -> list[TargetShare]:
        """Return the targets, those with most requests first."""
        names = self._first.keys() | self._recorded.keys() | self._answers.keys()
        typical = {str(target): value for target, value in self._typical.items()}
        shares = [
            TargetShare(
                target=name,
                requests=self._first[name],
                recorded_requests=self._recorded[name],
                answers=self._answers[name],
                cost_micros=self._cost[name],
                unpriced=self._unpriced[name],
                latency_ms=typical.get(name),
            )
            for name in names
        ]
        return sorted(shares, key=lambda share: (-share.requests, -share.answers, share.target))

    def cost(self, actual: int) -> CostComparison:
        """Return both costs."""
        return CostComparison(actual=actual, simulated=self._cost.total(), unpriced=self._unpriced.total())

    def latency(self, actual: Counter[int]) -> LatencyComparison:
        """Return both latencies."""
        return LatencyComparison(
            actual=_spread(actual),
            simulated=_spread(self._durations),
            unmeasured=self._unmeasured,
            over_budget=self._over_budget,
        )

    def _price(self, target: Target, past: PastRequest) -> int | None:
        if past.usage.total == 0:
            return 0
        return self._prices.cost(self._tenant, target, past.usage, past.started_at).cost_micros


def _spread(bins: Counter[int]) -> Spread:
    return Spread(avg=mean_ms(bins), p50=quantile_ms(bins, 0.5), p95=quantile_ms(bins, 0.95))
