"""Legal holds: what no purge and no time to live may touch."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router
from litestar.params import JSONBody, PathParameter, QueryParameter

from application.memory.erasure_commands import HoldPlacement, PlaceHold, ReleaseHold
from application.memory.erasure_handlers import WRITERS, HoldAnswer
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Limit
from interfaces.http.request import ApiRequest
from interfaces.http.routing import READERS, create, read, remove
from interfaces.http.writes import written
from projections.memory import erasure_queries
from projections.memory.erasure_queries import HoldView

Id = Annotated[str, PathParameter(name="hold_id", max_length=64, description="The hold's id.")]
Active = Annotated[
    bool | None, QueryParameter(name="active", description="Only holds in force, or only those that ended.")
]


class HoldWritten(HoldAnswer, frozen=True, kw_only=True):
    """A legal hold, and whether it is in force."""

    position: int


@create("/memory/holds", roles=WRITERS, summary="Place a legal hold", operation_id="placeHold")
async def place_hold(request: ApiRequest, data: JSONBody[HoldPlacement]) -> Response[HoldWritten]:
    """Keep what meets every condition until the hold is released; a purge of any of it answers 409."""
    return written(HoldWritten, await request.dispatch(PlaceHold(placement=data)))


@remove(
    "/memory/holds/{hold_id:str}",
    roles=WRITERS,
    fails=(404,),
    summary="Release a legal hold",
    operation_id="releaseHold",
)
async def release_hold(request: ApiRequest, hold_id: Id) -> Response[HoldWritten]:
    """End a hold. What has expired meanwhile is destroyed by the next clean-up."""
    return written(HoldWritten, await request.dispatch(ReleaseHold(hold_id=hold_id)))


@read("/memory/holds", roles=READERS, summary="List legal holds", operation_id="listHolds")
async def list_holds(
    request: ApiRequest, limit: Limit = 50, cursor: Cursor = None, active: Active = None
) -> Page[HoldView]:
    """List holds, newest first."""
    before = int(place_of(cursor, "holds", int)[0]) if cursor else None
    async with request.reading() as conn:
        found = await erasure_queries.list_holds(conn, limit=limit + 1, before=before, active=active)
    return Page.of(found, limit, lambda last: cursor_of("holds", last.position))


router = Router("/", route_handlers=[place_hold, release_hold, list_holds], tags=["memory"])
