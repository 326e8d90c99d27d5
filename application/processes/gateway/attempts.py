"""Tries the targets of a route in order until one gives an answer that can be committed to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from application.orchestration.dialects.errors import is_context_length_error
from application.orchestration.dialects.model import Untranslatable
from application.orchestration.dialects.outgoing import PreparedRequest, prepare
from application.orchestration.upstream import FailureKind, ProviderSpec, UpstreamCall, UpstreamFailure
from application.processes.gateway import defaults, refusals
from application.processes.gateway.budget import Budget
from application.processes.gateway.call import Environment
from application.processes.gateway.trace import Trace
from domain.kernel.errors import Unavailable
from domain.orchestration.catalogue import Target
from domain.orchestration.failures import FailureClass, Verdict, classify, larger_than

T = TypeVar("T")
Run = Callable[[ProviderSpec, UpstreamCall], Awaitable[T]]
IDLE_WITHOUT_RULE_S = 60.0


class Attempts:
    """The attempt loop of one request. Never the same target twice, but for one retry of a reset."""

    def __init__(self, env: Environment, trace: Trace) -> None:
        self._env = env
        self._trace = trace
        self._left: list[Target] = list(trace.route.targets)
        self._budget = Budget(env, trace)
        self._last: UpstreamFailure | None = None
        self._refused: Untranslatable | Unavailable | None = None

    async def run(self, run: Run[T]) -> T:
        """Return what `run` makes of the first target that answers.

        Raises Refused when none does; `run` raises UpstreamFailure for an attempt that may be followed by
        another one.
        """
        while (target := self._budget.next_of(self._left)) is not None:
            found = await self._try(target, run)
            if found is not None:
                return found
        if self._last is not None:
            self._budget.check()
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
            call = self._call(prepared, spec, target)
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

    def _call(self, prepared: PreparedRequest, spec: ProviderSpec, target: Target) -> UpstreamCall:
        request, idle_ms = self._trace.call.request, self._trace.route.idle_timeout_ms
        forwarded = self._trace.call.forwarded if spec.dialect == request.dialect else {}
        return UpstreamCall(
            path=prepared.path,
            body=prepared.body,
            deadline=self._budget.deadline(target, self._left),
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
        self._budget.check()


def malformed(detail: str) -> UpstreamFailure:
    """Return the failure of an answer that is not of its dialect."""
    return UpstreamFailure(FailureKind.MALFORMED, detail)
