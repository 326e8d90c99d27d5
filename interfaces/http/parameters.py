"""Query parameters: their types, their limits, and the refusal of those a route does not know."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from domain.kernel.errors import FieldError, InvalidInput

Limit = Annotated[
    int, QueryParameter(name="limit", ge=1, le=500, description="How many items at most, 1 to 500.")
]
Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", max_length=500, description="`next_cursor` of the page before."),
]
Instant = str
Connection = ASGIConnection[Any, Any, Any, Any]
From = Annotated[
    Instant | None,
    QueryParameter(name="from", max_length=40, description="Only from this time on (ISO 8601; UTC if bare)."),
]
To = Annotated[
    Instant | None,
    QueryParameter(name="to", max_length=40, description="Only before this time (ISO 8601; UTC if bare)."),
]
LOST_PLUS: Final = re.compile(r" (?=\d\d:?\d\d$)")


def instant(name: str, text: str | None) -> datetime | None:
    """Return a query parameter's time in UTC; a bare date is its midnight, a bare time is UTC.

    Raises InvalidInput naming the parameter. A `+` of an offset that arrived as a blank is understood.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(LOST_PLUS.sub("+", text.strip()))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput.at(
            f"/{name}", "this is not an ISO 8601 time such as 2026-10-01T00:00:00Z"
        ) from error


def period(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Return the bounds of `from` and `to`; raises InvalidInput unless `from` is before `to`."""
    start, end = instant("from", since), instant("to", until)
    if start is not None and end is not None and start >= end:
        raise InvalidInput.at("/to", "this must be after `from`")
    return start, end


def refuse_unknown(connection: Connection, handler: BaseRouteHandler) -> None:
    """Guard: raise InvalidInput for a query parameter the route does not have, or one with U+0000."""
    raw = connection.scope["query_string"]
    if not raw:
        return
    known = known_parameters(handler)
    given = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
    unknown = sorted({name for name, _ in given} - known)
    if unknown:
        takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
        raise InvalidInput(
            f"unknown query parameter {', '.join(unknown)}; {takes}",
            [FieldError(f"/{name}", f"this path has no such query parameter; {takes}") for name in unknown],
        )
    for name, value in given:
        if "\0" in value:
            raise InvalidInput.at(f"/{name}", "values cannot hold the character U+0000")


@lru_cache(maxsize=1024)
def known_parameters(handler: BaseRouteHandler) -> frozenset[str]:
    """Return the names of the query parameters a handler declares."""
    return frozenset(
        field.kwarg_definition.name or name
        for name, field in handler.parsed_fn_signature.parameters.items()
        if isinstance(field.kwarg_definition, QueryParameter)
    )
