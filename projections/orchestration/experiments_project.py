"""Folds ratings, the requests of experiments by the arm they were assigned to, and their shadows."""

from __future__ import annotations

from collections.abc import Iterable

from domain.kernel.events import Envelope
from domain.kernel.request_record import RequestRecorded, ShadowRecorded, TokenCounts
from domain.orchestration.feedback_events import FeedbackGiven
from projections.ops import Add, Insert, RowOp, Upsert
from projections.orchestration.experiments_tables import (
    experiment_arms,
    experiment_shadows,
    feedback,
    shadow_requests,
)
from projections.projection import Projection

LONGEST = 512  # characters of a name that an index can hold
LARGEST = 3_000_000  # values are cut here before they are squared: sums of a billion fit


def feedback_given(envelope: Envelope[FeedbackGiven]) -> Iterable[RowOp]:
    """Keep the newest rating of a request; its comment stays in the log, sealed."""
    event = envelope.event
    yield Upsert(
        feedback,
        {
            "tenant": envelope.tenant,
            "request_id": event.request_id,
            "score": event.score,
            "given_at": event.given_at,
            "workspace": event.workspace,
            "provider": event.provider,
            "model": event.model,
            "segment": event.segment,
            "experiment": _cut(event.experiment),
            "arm": _cut(event.arm),
            "position": envelope.position,
        },
    )


def request_recorded(envelope: Envelope[RequestRecorded]) -> Iterable[RowOp]:
    """Count a request for its assigned arm, whoever answered it, unless its caller broke it off."""
    event, decision = envelope.event, envelope.event.decision
    if decision.experiment is None or decision.arm is None or event.outcome == "cancelled":
        return
    if not event.attempts:
        return
    latency = min(event.duration_ms, LARGEST) if event.outcome == "succeeded" else 0
    cost = min(event.cost_micros or 0, LARGEST)
    yield Add(
        experiment_arms,
        [(envelope.tenant, event.workspace[:256], _cut(decision.experiment), _cut(decision.arm))],
        {
            "requests": 1,
            "succeeded": int(event.outcome == "succeeded"),
            "fell_back": int(f"{event.provider}/{event.model}" != decision.arm),
            "latency_ms": latency,
            "latency_squares": latency * latency,
            "priced": int(not event.unpriced),
            "cost_micros": cost,
            "cost_squares": cost * cost,
        },
    )


def shadow_recorded(envelope: Envelope[ShadowRecorded]) -> Iterable[RowOp]:
    """Keep a shadow beside its request, and count it for its target."""
    event = envelope.event
    usage = event.usage or TokenCounts()
    sent = bool(event.attempts)
    yield Insert(
        shadow_requests,
        {
            "tenant": envelope.tenant,
            "position": envelope.position,
            "shadow_of": event.shadow_of[:LONGEST],
            "request_id": event.request_id,
            "started_at": event.started_at,
            "workspace": event.workspace[:256],
            "experiment": _cut(event.decision.experiment),
            "provider": _cut(event.provider),
            "model": _cut(event.model),
            "sent": sent,
            "outcome": event.outcome,
            "status": event.status,
            "error_code": event.error_code,
            "duration_ms": event.duration_ms,
            "first_content_ms": event.first_content_ms,
            "usage_source": event.usage_source,
            "input_tokens": usage.input,
            "output_tokens": usage.output,
            "cost_micros": event.cost_micros,
        },
    )
    if event.decision.experiment is not None:
        yield _counted(envelope.tenant, event, usage, sent=sent)


def _counted(tenant: str, event: ShadowRecorded, usage: TokenCounts, *, sent: bool) -> RowOp:
    decision = event.decision
    target = decision.targets[0] if decision.targets else ""
    latency = min(event.duration_ms, LARGEST) if event.outcome == "succeeded" else 0
    cost = min(event.cost_micros or 0, LARGEST)
    return Add(
        experiment_shadows,
        [(tenant, event.workspace[:256], _cut(decision.experiment), target[:LONGEST])],
        {
            "requests": 1,
            "sent": int(sent),
            "succeeded": int(event.outcome == "succeeded"),
            "input_tokens": usage.input or 0,
            "output_tokens": usage.output or 0,
            "latency_ms": latency,
            "latency_squares": latency * latency,
            "priced": int(sent and not event.unpriced),
            "cost_micros": cost,
            "cost_squares": cost * cost,
        },
    )


def _cut(name: str | None) -> str | None:
    return None if name is None else name[:LONGEST]


EXPERIMENTS = Projection(
    name="experiments",
    version=2,
    tables=(feedback, experiment_arms, shadow_requests, experiment_shadows),
    handlers={
        FeedbackGiven: feedback_given,
        RequestRecorded: request_recorded,
        ShadowRecorded: shadow_recorded,
    },
)
