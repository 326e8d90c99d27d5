"""The latency budget of one request: who still has the time to answer, and how long each may take."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from application.processes.gateway import refusals
from application.processes.gateway.call import Environment
from application.processes.gateway.trace import Trace
from domain.orchestration.budget import Pace, attempt_ms, fits, hopeless
from domain.orchestration.catalogue import Target

WITHOUT_BUDGET_S = 600.0
FIRST_CONTENT_WITHOUT_BUDGET_S = 120.0
TIMER_SLACK_S = 0.01  # the event loop's timers may fire this much before their time


class Budget:
    """Hands out targets and deadlines. Without a budget every target has its turn.

    With `best_effort` the last target is not bounded by the budget, nor left out because of it.
    """

    def __init__(self, env: Environment, trace: Trace) -> None:
        self._env = env
        self._trace = trace
        self._slow: dict[Target, Pace] = {}
        self._paces: dict[Target, Pace | None] = {}

    def next_of(self, left: list[Target]) -> Target | None:
        """Take the next target that has the time to answer out of the list; None when none has.

        One that is usually too slow gives way to any other that is not, and is called when there is none,
        unless it has no chance. No request is refused without an attempt: then the quickest is tried.
        """
        while left:
            target = left.pop(0)
            pace = self._pace(target) if self._bounds(left) else None
            if pace is None or not self._left_out(pace, left):
                self._tell_slow()
                return target
            self._slow[target] = pace
        if self._slow and not self._trace.attempts:
            target = min(self._slow, key=lambda t: self._slow[t].median_ms)
            del self._slow[target]
            self._tell_slow()
            return target
        return None

    def deadline(self, target: Target, left: Sequence[Target]) -> float:
        """Return when an attempt must have its first content, in the time of `time.monotonic()`."""
        now = time.monotonic()
        stream = self._trace.call.request.stream
        own = now + (FIRST_CONTENT_WITHOUT_BUDGET_S if stream else WITHOUT_BUDGET_S)
        timeout_ms = self._trace.route.attempt_timeout_ms
        if timeout_ms is not None:
            own = now + timeout_ms / 1000
        if not self._bounds(left):
            return own
        coming = [self._pace(each) for each in left]
        return min(own, now + attempt_ms(self._remaining_ms(), self._pace(target), coming) / 1000)

    def check(self) -> None:
        """Raise Refused (504) when the budget is gone, or too little of it is left for any other target."""
        budget = self._ms
        if budget is None or self._trace.route.best_effort:
            return
        if self._slow or self._remaining_ms() <= TIMER_SLACK_S * 1000:
            self._tell_slow()
            raise refusals.budget_exhausted(self._trace, budget)

    def foretell(self) -> None:
        """Leave out of a dry run's route what would not be called at once."""
        targets = self._trace.route.targets
        first = self.next_of(list(targets))
        if first is not None:
            route, at = self._trace.route, targets.index(first)
            self._trace.route = msgspec.structs.replace(route, targets=targets[at:])

    def _left_out(self, pace: Pace, left: Sequence[Target]) -> bool:
        remaining = self._remaining_ms()
        if fits(remaining, pace):
            return False
        return hopeless(remaining, pace) or any(fits(remaining, self._pace(other)) for other in left)

    @property
    def _ms(self) -> int | None:
        return self._trace.route.decision.latency_budget_ms

    def _bounds(self, left: Sequence[Target]) -> bool:
        return self._ms is not None and not (self._trace.route.best_effort and not left)

    def _remaining_ms(self) -> float:
        spent_s = time.monotonic() - self._trace.call.started
        return max(0.0, (self._ms or 0) - spent_s * 1000)

    def _pace(self, target: Target) -> Pace | None:
        if target not in self._paces:
            call = self._trace.call
            streamed = call.request.stream
            self._paces[target] = self._env.health.pace(call.caller.tenant, target, streamed=streamed)
        return self._paces[target]

    def _tell_slow(self) -> None:
        for target, pace in self._slow.items():
            self._trace.pass_over(refusals.TOO_SLOW)
            self._trace.skip(
                target,
                f"{refusals.TOO_SLOW}: its p95 of {pace.p95_ms:.0f} ms does not fit into the "
                f"{self._remaining_ms():.0f} ms that were left of the latency budget",
            )
        self._slow.clear()
