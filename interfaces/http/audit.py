"""The log itself, for auditors: every event of the tenant, without credentials."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Router
from litestar.params import QueryParameter

from application.event_listing import EventFilter
from domain.kernel.errors import Forbidden
from domain.kernel.events import Envelope
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, From, Limit, To, period
from interfaces.http.request import ApiRequest
from interfaces.http.routing import ADMIN, AUDITOR, read
from interfaces.http.visible import visible_data

Type = Annotated[
    str | None,
    QueryParameter(
        name="type", max_length=200, description="An event type, or its beginning and `*`: `tenancy.*`."
    ),
]
Stream = Annotated[
    str | None,
    QueryParameter(
        name="stream",
        max_length=500,
        description="A stream `kind/id`, or its beginning and `*`: `model-policy/*`.",
    ),
]
Actor = Annotated[
    str | None, QueryParameter(name="actor", max_length=200, description="Who did it: `key/<id>`.")
]
After = Annotated[
    int | None,
    QueryParameter(name="after", ge=0, le=2**63 - 1, description="Only events behind this position."),
]
Order = Annotated[
    Literal["asc", "desc"], QueryParameter(name="order", description="By position: oldest or newest first.")
]
Reveal = Annotated[
    bool, QueryParameter(name="reveal", description="Show personal fields, which are sealed otherwise.")
]


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it stands in the log; `data` are its fields, sealed ones as `{"sealed": true}`."""

    position: int
    type: str
    schema_version: int
    stream_id: str
    version: int
    recorded_at: datetime
    actor: str
    correlation: str
    command_id: str
    data: dict[str, Any]

    @classmethod
    def of(cls, envelope: Envelope[Any], *, reveal: bool) -> EventView:
        """Return what may be shown of an event."""
        return cls(
            position=envelope.position,
            type=envelope.type,
            schema_version=envelope.schema_version,
            stream_id=envelope.stream_id,
            version=envelope.version,
            recorded_at=envelope.recorded_at,
            actor=envelope.actor,
            correlation=envelope.correlation,
            command_id=envelope.command_id,
            data=visible_data(envelope.event, reveal=reveal),
        )


@read("/audit/events", roles=(ADMIN, AUDITOR), summary="List the log", operation_id="listEvents")
async def list_events(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    kind: Type = None,
    stream: Stream = None,
    actor: Actor = None,
    since: From = None,
    until: To = None,
    after: After = None,
    order: Order = "asc",
    reveal: Reveal = False,
) -> Page[EventView]:
    """List the tenant's events, immutable and in the order of their commits."""
    if request.caller.workspace is not None:
        raise Forbidden("this key is bound to a workspace; the log is for keys of the whole tenant")
    start, end = period(since, until)
    newest_first = order == "desc"
    place = int(place_of(cursor, f"events-{order}", int)[0]) if cursor else None
    wanted = EventFilter(
        type=kind,
        stream=_stream_id(request, stream),
        actor=actor,
        since=start,
        until=end,
        after=after if newest_first or place is None else place,
        before=place if newest_first else None,
    )
    found = await request.services.list_events(
        request.caller.tenant, wanted, limit=limit + 1, newest_first=newest_first
    )
    views = [EventView.of(envelope, reveal=reveal) for envelope in found]
    return Page.of(views, limit, lambda last: cursor_of(f"events-{order}", last.position))


def _stream_id(request: ApiRequest, stream: str | None) -> str | None:
    own = f"{request.caller.tenant}/"
    return stream if stream is None or stream.startswith(own) else own + stream


router = Router("/", route_handlers=[list_events], tags=["audit"])
