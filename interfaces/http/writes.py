"""How writes answer: the resource, and the position of the last event they stored."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec
from litestar import Response

from application.bus import Outcome

HEADER = "x-aios-position"


class Written(Protocol):
    """A view with the position at which it was stored."""

    @property
    def position(self) -> int: ...


W = TypeVar("W", bound=Written)


def written(view: type[W], outcome: Outcome) -> Response[W]:
    """Return a command's answer as `view`: the answer's own fields and `position`, also as a header."""
    fields = {name: getattr(outcome.result, name) for name in outcome.result.__struct_fields__}
    body = msgspec.convert({**fields, "position": outcome.position}, view, from_attributes=True)
    return Response(body, headers={HEADER: str(outcome.position)})
