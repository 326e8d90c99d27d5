"""Taking feedback: what a person thought of an answer becomes an event beside the request's record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta

from application.bus import Command, Work
from application.ports import NewEvent
from domain.kernel.aggregate import stream_id
from domain.kernel.errors import InvalidInput, NotFound
from domain.orchestration.feedback_events import FeedbackGiven

GIVERS = ("admin", "operator", "service")
LONGEST_COMMENT = 4000
Scale = Literal["-1..1", "0..1"]


class GiveFeedback(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rate the answer of a request (roles admin, operator, service); answers FeedbackAnswer.

    `score` is from -1 (bad) over 0 (neutral) to 1 (good); with `scale` `0..1` it is from 0 (bad) to 1. A
    later rating of the same request replaces the earlier one.
    """

    request_id: Annotated[str, Meta(min_length=1, max_length=200)]
    score: Annotated[float, Meta(ge=-1, le=1)]
    scale: Scale = "-1..1"
    comment: Annotated[str, Meta(max_length=LONGEST_COMMENT)] | None = None

    def __repr__(self) -> str:
        return f"GiveFeedback({self.request_id}, {self.score})"


class FeedbackAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The rating as it counts, from -1 to 1, and whose answer it is about."""

    request_id: str
    score: float
    provider: str | None
    model: str | None
    experiment: str | None
    arm: str | None
    given_at: datetime


class RatedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the record of a request says of who answered it."""

    workspace: str
    provider: str | None
    model: str | None
    segment: str | None
    experiment: str | None
    arm: str | None
    subject: str | None


class RatedRequests(Protocol):
    """Finds requests in their read model, as new as every request that had ended when it is asked."""

    async def __call__(self, tenant: str, request_id: str) -> RatedRequest | None: ...


@dataclass(frozen=True)
class FeedbackPorts:
    """What the handler gets beside the unit of work."""

    requests: RatedRequests


async def give_feedback(command: GiveFeedback, work: Work, ports: FeedbackPorts) -> FeedbackAnswer:
    """Record a rating. Raises Forbidden, NotFound, InvalidInput for a score outside its scale."""
    work.caller.require(*GIVERS)
    score = _score(command)
    rated = await ports.requests(work.caller.tenant, command.request_id)
    if rated is None or work.caller.workspace not in {None, rated.workspace}:
        raise NotFound("there is no such request; its id is the `x-request-id` of its answer")
    event = FeedbackGiven(
        request_id=command.request_id,
        score=score,
        given_at=work.at,
        workspace=rated.workspace,
        provider=rated.provider,
        model=rated.model,
        segment=rated.segment,
        experiment=rated.experiment,
        arm=rated.arm,
        subject=rated.subject,
        comment=command.comment or None,
    )
    stream = stream_id(work.caller.tenant, "feedback", f"{work.at:%Y-%m}")
    await work.save(facts=(NewEvent(stream, event),))
    return msgspec.convert(event, FeedbackAnswer, from_attributes=True)


def _score(command: GiveFeedback) -> float:
    if command.scale == "-1..1":
        return float(command.score)
    if command.score < 0:
        raise InvalidInput.at("/score", f"with scale 0..1 it is from 0 to 1, not {command.score}")
    return 2.0 * command.score - 1.0


HANDLERS: Mapping[type[Command], Callable[[Any, Work, FeedbackPorts], Awaitable[Any]]] = {
    GiveFeedback: give_feedback,
}
