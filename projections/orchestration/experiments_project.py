"""Folds ratings, and the requests of experiments by the arm they were assigned to."""

from __future__ import annotations

from collections.abc import Iterable

from domain.kernel.events import Envelope
from domain.kernel.request_record import RequestRecorded
from domain.orchestration.feedback_events import FeedbackGiven
from projections.ops import Add, RowOp, Upsert
from projections.orchestration.experiments_tables import experiment_arms, feedback
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


def _cut(name: str | None) -> str | None:
    return None if name is None else name[:LONGEST]


EXPERIMENTS = Projection(
    name="experiments",
    version=1,
    tables=(feedback, experiment_arms),
    handlers={FeedbackGiven: feedback_given, RequestRecorded: request_recorded},
)
