"""Tries the targets of a route in order until one gives an answer that can be committed to."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from application.orchestration.dialects.errors import is_context_length_error
from application.orchestration.dialects.model import Untranslatable
from application.orchestration.dialects.outgoing import PreparedRequest, prepare
from application.orchestration.upstream import FailureKind, ProviderSpec, UpstreamCall, UpstreamFailure
from application.processes.gateway import defaults, refusals
from application.processes.gateway.call import Environment
from application.processes.gateway.trace import Trace
from domain.kernel.errors import Unavailable
from domain.orchestration.catalogue import Target
from domain.orchestration.failures import FailureClass, Verdict, classify, larger_than

T = TypeVar("T")
Run = Callable[[ProviderSpec, UpstreamCall], Awaitable[T]]
WITHOUT_BUDGET_S = 600.0
FIRST_CONTENT_WITHOUT_BUDGET_S = 120.0
IDLE_WITHOUT_RULE_S = 60.0
TIMER_SLACK_S = 0.01  # the event loop's timers may fire this much before their time


class Attempts:
    """The attempt loop of one request. Never the same target twice, but for one retry of a reset."""

    def __init__(self, env: Environment, trace: Trace) -> None:
        self._env = env
        self._trace = trace
        self._left: list[Target] = list(trace.route.targets)
        self._last: UpstreamFailure | None = None
        self._refused: Untranslatable | Unavailable | None = None

    async def run(self, run: Run[T]) -> T:
        """Return what `run` makes of the first target that answers.

        Raises Refused when none does; `run` raises UpstreamFailure for an attempt that may be followed by
        another one.
        """
        while self._left:
            target = self._left.pop(0)
            found = await self._try(target, run)
            if found is not None:
                return found
        if self._last is not None:
            self._check_budget()
            raise refusals.all_failed(self._trace, self._last)
        raise self._refused or AssertionError("a route has at least one target")

    async def _try(self, target: Target, run: Run[T]) -> T | None:
        trace = self._trace
        request = defaults.completed(trace.call.request, trace.route, self._env)
        try:
            spec = self._env.directory.provider(trace.call.caller.tenant, target.provider)
            prepared = prepare(request, spec.dialect, target.model, max_tokens=trace.admitted.max_tokens)
        except (Untranslatable, Unavailable) as error:
            self._refused = self._refused or error
            trace.pass_over("untranslatable" if isinstance(error, Untranslatable) else "removed")
            return None
        for retry in (False, True):
            if any(a.usage is not None for a in trace.attempts) and not await trace.admitted.again():
                self._left.clear()
                return None
            call = self._call(prepared, spec)
            trace.begin(target, spec)
            try:
                return await run(spec, call)
            except UpstreamFailure as failure:
                trace.failed(failure)
                verdict = self._judge(failure, spec)
                if verdict.quick_retry and not retry:
                    continue
                self._follow(verdict, failure, target, spec)
                return None
        return None

    def _call(self, prepared: PreparedRequest, spec: ProviderSpec) -> UpstreamCall:
        request, idle_ms = self._trace.call.request, self._trace.route.idle_timeout_ms
        forwarded = self._trace.call.forwarded if spec.dialect == request.dialect else {}
        return UpstreamCall(
            path=prepared.path,
            body=prepared.body,
            deadline=self._deadline(),
            stream=request.stream,
            headers={**forwarded, **prepared.headers},
            idle_timeout=IDLE_WITHOUT_RULE_S if idle_ms is None else idle_ms / 1000,
        )

    def _judge(self, failure: UpstreamFailure, spec: ProviderSpec) -> Verdict:
        too_long = failure.status is not None and is_context_length_error(
            spec.dialect, failure.status, failure.body
        )
        return classify(failure.kind.value, failure.status, context_too_long=too_long)

    def _follow(self, verdict: Verdict, failure: UpstreamFailure, target: Target, spec: ProviderSpec) -> None:
        """Decide what may follow a failure. Raises Refused when nothing may."""
        self._last = failure
        if verdict.failure is FailureClass.TERMINAL:
            raise refusals.terminal(self._trace, spec.dialect, failure)
        if verdict.failure is FailureClass.CAPABILITY:
            catalogue = self._env.directory.catalogue(self._trace.call.caller.tenant)
            self._left = list(larger_than(target, self._left, catalogue))
            if not self._left:
                raise refusals.terminal(self._trace, spec.dialect, failure)
        self._check_budget()

    def _check_budget(self) -> None:
        budget = self._budget_ms
        if (
            budget is not None
            and time.monotonic() + TIMER_SLACK_S >= self._budget_end(budget)
            and not self._may_run_on
        ):
            raise refusals.budget_exhausted(self._trace, budget)

    def _deadline(self) -> float:
        now = time.monotonic()
        stream = self._trace.call.request.stream
        own = now + (FIRST_CONTENT_WITHOUT_BUDGET_S if stream else WITHOUT_BUDGET_S)
        timeout_ms = self._trace.route.attempt_timeout_ms
        if timeout_ms is not None:
            own = now + timeout_ms / 1000
        budget = self._budget_ms
        if budget is None or (self._may_run_on and not self._left):
            return own
        return min(own, self._budget_end(budget))

    @property
    def _budget_ms(self) -> int | None:
        return self._trace.route.decision.latency_budget_ms

    def _budget_end(self, budget_ms: int) -> float:
        return self._trace.call.started + budget_ms / 1000

    @property
    def _may_run_on(self) -> bool:
        return self._trace.route.best_effort


def malformed(detail: str) -> UpstreamFailure:
    """Return the failure of an answer that is not of its dialect."""
    return UpstreamFailure(FailureKind.MALFORMED, detail)
