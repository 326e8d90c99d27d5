"""What people thought of answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from domain.kernel.events import Event
from domain.kernel.personal import Erased, Personal


class FeedbackGiven(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A request's answer was rated from -1 to 1; a later rating of the same request replaces it.

    It carries what the request's record says of who answered, so that readers need not look it up.
    """

    TYPE: ClassVar[str] = "orchestration.feedback_given"

    request_id: str
    score: float
    given_at: datetime
    workspace: str
    provider: str | None = None
    model: str | None = None
    segment: str | None = None
    experiment: str | None = None
    arm: str | None = None
    subject: str | None = None
    comment: Annotated[str | Erased | None, Personal(subject="subject", category="=requests")] = None


EVENTS: tuple[type[Event], ...] = (FeedbackGiven,)
