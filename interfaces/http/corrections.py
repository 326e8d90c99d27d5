"""Corrections of usage: what counts instead of what was recorded."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router
from litestar.params import JSONBody, QueryParameter

from application.usage.corrections import CorrectionAnswer, CorrectUsage
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Limit
from interfaces.http.request import ApiRequest
from interfaces.http.routing import ADMIN, USERS, create, read
from interfaces.http.writes import written
from projections.usage.answers import CorrectionView
from projections.usage.correction_queries import list_corrections

RequestId = Annotated[
    str | None,
    QueryParameter(name="request_id", max_length=200, description="Only corrections of this request."),
]


class CorrectionWritten(CorrectionAnswer, frozen=True, kw_only=True):
    """A correction: what counted before, and what counts from now on."""

    position: int


@create(
    "/usage/corrections",
    roles=(ADMIN,),
    fails=(404,),
    summary="Correct the usage of a request",
    operation_id="correctUsage",
)
async def correct(request: ApiRequest, data: JSONBody[CorrectUsage]) -> Response[CorrectionWritten]:
    """Say what a request really used or cost; read models and quotas follow, the record stays."""
    return written(CorrectionWritten, await request.dispatch(data))


@read("/usage/corrections", roles=USERS, summary="List corrections", operation_id="listCorrections")
async def get_corrections(
    request: ApiRequest, request_id: RequestId = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[CorrectionView]:
    """List corrections of usage, newest first; a key bound to a workspace sees those of its own."""
    before = int(place_of(cursor, "corrections", int)[0]) if cursor else None
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = await list_corrections(
            conn, request_id=request_id, workspace=request.caller.workspace, limit=limit + 1, before=before
        )
    return Page.of(found, limit, lambda last: cursor_of("corrections", last.position))


router = Router("/", route_handlers=[correct, get_corrections], tags=["usage"])
