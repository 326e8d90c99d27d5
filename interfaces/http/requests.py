"""Single gateway requests: the decision and why, every attempt, usage and cost."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec
from litestar import Router
from litestar.params import PathParameter, QueryParameter

from domain.kernel.errors import NotFound
from domain.kernel.request_record import Outcome
from interfaces.http.parameters import Cursor, From, Limit, To, period
from interfaces.http.request import ApiRequest
from interfaces.http.routing import USERS, read
from projections.orchestration.shadow_queries import ShadowRecord, shadow_of
from projections.usage import request_queries
from projections.usage.answers import RequestPage, RequestRecord, UsageEvent
from projections.usage.request_queries import RequestFilters

R = TypeVar("R", RequestRecord, UsageEvent)
REQUESTS: Final = "requests"
"""The category in which erasures know the records of requests."""
RequestId = Annotated[
    str, PathParameter(name="request_id", max_length=200, description="The answer's `x-request-id`.")
]


def _by(name: str, text: str) -> QueryParameter:
    return QueryParameter(name=name, max_length=256, description=text)


Workspace = Annotated[str | None, _by("workspace", "Only requests of this workspace.")]
Segment = Annotated[str | None, _by("segment", "Only requests of this segment.")]
Provider = Annotated[str | None, _by("provider", "Only requests that this provider answered.")]
Model = Annotated[str | None, _by("model", "Only requests that this model answered.")]
Key = Annotated[str | None, _by("key_id", "Only requests made with this key.")]
Subject = Annotated[str | None, _by("subject", "Only requests about this data subject.")]
Session = Annotated[str | None, _by("session", "Only requests of this session.")]
Ended = Annotated[Outcome | None, QueryParameter(name="outcome", description="Only requests that ended so.")]


class FullRecord(RequestRecord, frozen=True, kw_only=True):
    """The full record of a request: the decision and why, every attempt, and its shadow where it had one.

    `usage` holds the token counts as one object, None when there were none. `metered` is False for what is
    not usage: refused requests and token counts. Stored text stays sealed in the log; `text_stored` tells
    that there is some. The `shadow` is no part of any of that.
    """

    shadow: ShadowRecord | None


@read(
    "/requests/{request_id:str}",
    roles=USERS,
    fails=(404,),
    summary="Read the record of a request",
    operation_id="getRequest",
)
async def get_request(request: ApiRequest, request_id: RequestId) -> FullRecord:
    """Return the full record of one gateway request of the tenant."""
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = await request_queries.request_record(conn, request_id)
        shadow = await shadow_of(conn, request_id)
    own = request.caller.workspace
    if found is None or own not in {None, found.workspace}:
        raise NotFound("there is no such request; its id is the `x-request-id` of its answer")
    found = _without_erased(request, found)
    return FullRecord(**msgspec.structs.asdict(found), shadow=shadow)


@read("/requests", roles=USERS, summary="List requests", operation_id="listRequests")
async def list_requests(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    workspace: Workspace = None,
    segment: Segment = None,
    provider: Provider = None,
    model: Model = None,
    key_id: Key = None,
    subject: Subject = None,
    session: Session = None,
    outcome: Ended = None,
    since: From = None,
    until: To = None,
) -> RequestPage:
    """List gateway requests, newest first, refused ones included."""
    start, end = period(since, until)
    filters = RequestFilters(
        workspace=request.caller.workspace or workspace,
        segment=segment,
        provider=provider,
        model=model,
        key_id=key_id,
        subject=subject,
        session=session,
        outcome=outcome,
        since=start,
        until=end,
    )
    await request.services.read_barrier()
    async with request.reading() as conn:
        page = await request_queries.list_requests(conn, limit, cursor, filters)
    return RequestPage([_without_erased(request, item) for item in page.items], page.next_cursor)


def _without_erased(request: ApiRequest, found: R) -> R:
    """Hide the name of a user who is being erased; what is erased is not there any more."""
    hidden = request.services.governance.directory.hidden
    if hidden(request.caller.tenant, found.subject, REQUESTS, found.started_at) is None:
        return found
    return msgspec.structs.replace(found, user=None)


router = Router("/", route_handlers=[get_request, list_requests], tags=["usage"])
