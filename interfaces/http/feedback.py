"""Feedback on answers, for routing by quality and for experiments."""

from __future__ import annotations

from litestar import Response, Router
from litestar.params import JSONBody

from application.orchestration.feedback import GIVERS, FeedbackAnswer, GiveFeedback
from interfaces.http.request import ApiRequest
from interfaces.http.routing import create
from interfaces.http.writes import written


class FeedbackWritten(FeedbackAnswer, frozen=True, kw_only=True):
    """The rating as it counts, from -1 to 1."""

    position: int


@create(
    "/feedback",
    roles=GIVERS,
    fails=(404,),
    summary="Rate the answer of a request",
    operation_id="giveFeedback",
)
async def give_feedback(request: ApiRequest, data: JSONBody[GiveFeedback]) -> Response[FeedbackWritten]:
    """Rate an answer from -1 to 1 (`scale` `0..1`: from 0 to 1); a later rating replaces an earlier one."""
    return written(FeedbackWritten, await request.dispatch(data))


router = Router("/", route_handlers=[give_feedback], tags=["orchestration"])
