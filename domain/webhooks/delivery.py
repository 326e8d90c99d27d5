"""One event on its way to one endpoint: when it is tried again, and when it is given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from domain.kernel.aggregate import Aggregate
from domain.kernel.events import Event
from domain.webhooks.events import DeliveryAttempted, DeliveryRequested, Outcome, State

PAUSES_S = (5, 30, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds between attempts, as the Standard Webhooks specification proposes: some three days in all."""

GONE = 410
LONGEST_DETAIL = 200


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt; `status` is None when there was no answer."""

    outcome: Outcome
    status: int | None = None
    duration_ms: int = 0
    detail: str = ""


class Delivery(Aggregate):
    """The consistency boundary of the attempts at one delivery."""

    KIND: ClassVar[str] = "webhook-delivery"

    def initialise(self) -> None:
        """Start before anything was asked for."""
        self.request: DeliveryRequested | None = None
        self.attempts = 0
        self.state: State = "waiting"
        self.next_at: datetime | None = None

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case DeliveryRequested():
                self.request = event
            case DeliveryAttempted():
                self.attempts, self.state, self.next_at = event.number, event.state, event.next_at

    def waits_until(self, now: datetime) -> datetime | None:
        """Return when the next attempt is due, None when it may be made now."""
        return self.next_at if self.next_at is not None and now < self.next_at else None

    def attempted(
        self, answer: Answer, at: datetime, pauses: Sequence[float] = PAUSES_S
    ) -> DeliveryAttempted:
        """Record an attempt, and decide what comes after it."""
        if self.request is None:
            raise ValueError("nothing was asked for")
        number = self.attempts + 1
        state = _state(answer, number, pauses)
        event = DeliveryAttempted(
            message_id=self.request.message_id,
            webhook_id=self.request.webhook_id,
            number=number,
            attempted_at=at,
            outcome=answer.outcome,
            state=state,
            status=answer.status,
            duration_ms=answer.duration_ms,
            detail=answer.detail[:LONGEST_DETAIL],
            next_at=at + timedelta(seconds=pauses[number - 1]) if state == "waiting" else None,
        )
        self.record(event, at)
        return event


def _state(answer: Answer, number: int, pauses: Sequence[float]) -> State:
    if answer.outcome == "delivered":
        return "delivered"
    if answer.outcome == "removed":
        return "dropped"
    if answer.status == GONE or number > len(pauses):
        return "failed"
    return "waiting"
