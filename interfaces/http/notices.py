"""Notices of caps that were reached."""

from __future__ import annotations

from typing import Annotated

from litestar import Router
from litestar.params import QueryParameter

from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Limit
from interfaces.http.request import ApiRequest
from interfaces.http.routing import READERS, read
from projections.usage.notices import QuotaNotice
from projections.usage.notices import list_notices as notices_of

Month = Annotated[
    str | None,
    QueryParameter(
        name="month", pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="Of this month alone, such as 2026-11."
    ),
]


@read("/usage/notices", roles=READERS, summary="List caps that were reached", operation_id="listNotices")
async def list_notices(
    request: ApiRequest, month: Month = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[QuotaNotice]:
    """List soft caps that were crossed and hard caps that refused, newest first: one a scope and month."""
    before = int(place_of(cursor, "notices", int)[0]) if cursor else None
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = await notices_of(conn, month=month, limit=limit + 1, before=before)
    return Page.of(found, limit, lambda last: cursor_of("notices", last.position))


router = Router("/", route_handlers=[list_notices], tags=["usage"])
