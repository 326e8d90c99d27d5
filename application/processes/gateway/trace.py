"""Keeps what happened to one request: its attempts, what they used and cost, and the event of all that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from application.orchestration.dialects.measure import estimate_tokens
from application.orchestration.dialects.model import TokenUsage
from application.orchestration.upstream import ProviderSpec, UpstreamFailure
from application.ports import AppendRequest, NewEvent
from application.processes.gateway import recorded
from application.processes.gateway.admission import Admitted, Unlimited
from application.processes.gateway.call import Environment, GatewayCall
from application.processes.gateway.counts import counts_of, sum_of
from application.processes.gateway.wording import attempt_text, header_safe, outcome_text
from domain.kernel.aggregate import stream_id
from domain.kernel.request_record import Attempt, Outcome, RequestRecorded, TokenCounts, UsageSource
from domain.orchestration.catalogue import Target
from domain.orchestration.routing import Route

if TYPE_CHECKING:  # the guard is made of what a trace is a part of
    from application.processes.gateway.pii.guard import Guard

NO_RULE: Final = "none"


class Trace:
    """The record of one request in the making; used by one task at a time."""

    def __init__(self, env: Environment, call: GatewayCall, route: Route) -> None:
        self._env = env
        self.call = call
        self.route = route
        self.attempts: list[Attempt] = []
        self._started = 0.0
        self._target: Target | None = None
        self._spec: ProviderSpec | None = None
        self.first_content_ms: int | None = None
        self.reported: TokenUsage | None = None  # what a stream told before it broke without content
        self.passed_over: str | None = None
        self.admitted: Admitted = Unlimited(None)
        self.guard: Guard | None = None

    def begin(self, target: Target, spec: ProviderSpec) -> None:
        """Note that an attempt starts now."""
        self._started, self._target, self._spec = time.monotonic(), target, spec
        self.first_content_ms = self.reported = None

    def pass_over(self, reason: str) -> None:
        """Note why a target was not called at all; the first reason stays."""
        self.passed_over = self.passed_over or reason

    def skip(self, target: Target, reason: str) -> None:
        """Note in the decision that a target is left out, and why."""
        decision, name = self.route.decision, str(target)
        told = msgspec.structs.replace(
            decision,
            targets=tuple(each for each in decision.targets if each != name),
            skipped=(*decision.skipped, (name, reason)),
        )
        self.route = msgspec.structs.replace(self.route, decision=told)

    def content_arrived(self) -> None:
        """Note the first content of the present attempt."""
        self.first_content_ms = round((time.monotonic() - self._started) * 1000)

    def failed(self, failure: UpstreamFailure) -> None:
        """Close the present attempt as failed; without reported usage it counts as none and costs nothing."""
        counts = counts_of(self.reported) if self.reported else None
        source: UsageSource = "partial" if counts else "none"
        self._close(
            failure.kind.value,
            counts,
            source,
            status=failure.status,
            detail=failure.detail[:300],
            retry_after_s=failure.retry_after_s,
        )

    def succeeded(self, usage: TokenUsage | None, estimated_output: int, status: int = 200) -> None:
        """Close the present attempt as answered in full; what was not reported is estimated and marked."""
        counts, source = self._settled(usage, estimated_output, complete=True)
        self._close("ok", counts, source, status=status)

    def broken_off(
        self, outcome: str, usage: TokenUsage | None, estimated_output: int, detail: str = ""
    ) -> None:
        """Close the present attempt as ended before its end, by the client or by the provider."""
        counts, source = self._settled(usage, estimated_output, complete=False)
        self._close(outcome, counts, source, status=200, detail=detail)

    def event(
        self,
        outcome: Outcome,
        status: int,
        *,
        error_code: str | None = None,
        finish_reason: str | None = None,
        answer: str | None = None,
    ) -> AppendRequest:
        """Return the command that records the request."""
        call = self.call
        record = RequestRecorded(
            duration_ms=round((time.monotonic() - call.started) * 1000),
            outcome=outcome,
            status=status,
            decision=self.route.decision,
            fallback_reason=self.fallback_reason,
            error_code=error_code,
            finish_reason=finish_reason,
            pii=self.guard.report() if self.guard is not None else None,
            answer=recorded.answer(answer, self.route, self.guard),
            **self._asked(),
            **self._used(),
        )
        stream = stream_id(call.caller.tenant, "requests", f"{call.started_at:%Y-%m}")
        return AppendRequest(
            tenant=call.caller.tenant,
            command_id=call.request_id,
            events=(NewEvent(stream, record), *(self.guard.sealed(call.started_at) if self.guard else ())),
            correlation=call.request_id,
            actor=call.caller.actor,
        )

    def _asked(self) -> dict[str, Any]:
        """Return the fields of the record that tell what came in, and from whom."""
        call, request = self.call, self.call.request
        subject = self._env.subject_reference(call.caller.tenant, call.user) if call.user else None
        return {
            "request_id": call.request_id,
            "operation": request.operation,
            "dialect": request.dialect,
            "stream": request.stream,
            "workspace": call.workspace,
            "segment": call.segment,
            "session": call.session,
            "key_id": call.key_id,
            "started_at": call.started_at,
            "subject": subject,
            "user": call.user,
            "prompt": recorded.prompt(call, self.route, self.guard),
        }

    def _used(self) -> dict[str, Any]:
        """Return the fields of the record that follow from the attempts."""
        last = self.attempts[-1] if self.attempts else None
        costs = [a.cost_micros for a in self.attempts if a.usage is not None]
        unpriced = None in costs
        return {
            "attempts": tuple(self.attempts),
            "provider": last.provider if last else None,
            "model": last.model if last else None,
            "usage": sum_of([a.usage for a in self.attempts if a.usage is not None]),
            "usage_source": last.usage_source if last else "none",
            "cost_micros": None if unpriced else sum(cost for cost in costs if cost is not None),
            "unpriced": unpriced,
            "first_content_ms": self._first_content_of_request(),
        }

    @property
    def fallback_reason(self) -> str | None:
        """Return why the request did not stay with its first target; None when it did."""
        first, now = self.route.targets[0], self.present
        if now is None or now == first:
            return None if now is None else self.route.avoided
        tried = self.attempts and (self.attempts[0].provider, self.attempts[0].model)
        return outcome_text(self.attempts[0]) if tried == (first.provider, first.model) else self.passed_over

    @property
    def present(self) -> Target | None:
        """The target of the present attempt, or of the last one."""
        if self._target is None and self.attempts:
            return Target(self.attempts[-1].provider, self.attempts[-1].model)
        return self._target

    def headers(self, *, cost: bool = False) -> dict[str, str]:
        """Return the answer's `x-aios-*` headers as known at this moment."""
        decision = self.route.decision
        headers = {**self.admitted.headers(), **(self.guard.headers() if self.guard else {})}
        headers["x-aios-policy"] = decision.policy or f"{self.call.workspace}@0"
        headers["x-aios-rule"] = header_safe(decision.rule) if decision.rule else NO_RULE
        target = self.present or self.route.targets[0]
        headers["x-aios-provider"], headers["x-aios-model"] = target.provider, header_safe(target.model)
        headers["x-aios-attempts"] = ", ".join(self._attempt_texts())
        if reason := self.fallback_reason:
            headers["x-aios-fallback-reason"] = reason
        if cost:
            known = [a.cost_micros for a in self.attempts if a.usage is not None]
            if None not in known:
                headers["x-aios-cost-micros"] = str(sum(c for c in known if c is not None))
        return headers

    def settled(self, stored: AppendRequest) -> RequestRecorded:
        """Tell the quota what the stored record says was used, and return the record."""
        record = cast("RequestRecorded", stored.events[0].event)
        self.admitted.settle(record)
        return record

    def _attempt_texts(self) -> list[str]:
        texts = [attempt_text(a.provider, a.model, outcome_text(a), a.duration_ms) for a in self.attempts]
        if self._target is not None:
            spent = round((time.monotonic() - self._started) * 1000)
            texts.append(attempt_text(self._target.provider, self._target.model, "ok", spent))
        return texts

    def _close(
        self,
        outcome: str,
        counts: TokenCounts | None,
        source: UsageSource,
        *,
        status: int | None = None,
        detail: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        target, spec = self._target, self._spec
        if target is None or spec is None:
            return
        priced = (
            self._env.prices.cost(self.call.caller.tenant, target, counts, self.call.started_at)
            if counts
            else None
        )
        attempt = Attempt(
            provider=target.provider,
            model=target.model,
            outcome=outcome,
            started_ms=round((self._started - self.call.started) * 1000),
            duration_ms=round((time.monotonic() - self._started) * 1000),
            credential=spec.credential_id,
            status=status,
            first_content_ms=self.first_content_ms,
            usage=counts,
            usage_source=source,
            cost_micros=priced.cost_micros if priced else 0,
            price_version=priced.version if priced else None,
            detail=detail,
        )
        self.attempts.append(attempt)
        self._target = None
        self._env.observe(self.call.caller.tenant, attempt)
        streamed = self.call.request.stream
        self._env.health.observe(self.call.caller.tenant, attempt, retry_after_s, streamed=streamed)

    def _settled(
        self, usage: TokenUsage | None, estimated_output: int, *, complete: bool
    ) -> tuple[TokenCounts, UsageSource]:
        reported = usage or TokenUsage()
        told = reported.output_tokens
        if told is None and self.call.request.operation == "embeddings":
            told = 0  # nothing is generated, and providers leave it out
        if complete and reported.input_tokens is not None and told is not None:
            return counts_of(reported), "provider"
        output = max(told or 0, self._bounded(estimated_output)) if not complete or told is None else told
        read = reported.input_tokens
        filled = msgspec.structs.replace(
            reported,
            input_tokens=estimate_tokens(self.call.request.body) if read is None else read,
            output_tokens=output,
        )
        return counts_of(filled), "partial" if reported.reported else "estimated"

    def _bounded(self, estimated: int) -> int:
        """Return an estimate of output that respects what the provider was allowed to generate."""
        most = self.admitted.max_tokens
        return estimated if most is None else min(estimated, most * self.call.request.choices)

    def _first_content_of_request(self) -> int | None:
        last = self.attempts[-1] if self.attempts else None
        if last is None or last.first_content_ms is None:
            return None
        return last.started_ms + last.first_content_ms
