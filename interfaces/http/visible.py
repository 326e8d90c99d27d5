"""What of an event may be shown: never a credential, personal data only to those who ask for it and may."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from domain.kernel.events import Event, UnknownEvent
from domain.kernel.personal import Erased, Personal, personal_fields

CREDENTIAL: Final = "=credential"
SECRET_NAME: Final = re.compile(r"(^|_)(hash|secret|password|api_key|token|credential)$")
SEALED: Final = {"sealed": True}
ERASED: Final = {"erased": True}


def visible_data(event: Event, *, reveal: bool) -> dict[str, Any]:
    """Return an event's fields as JSON values.

    Personal fields are `{"sealed": true}` unless `reveal`, `{"erased": true}` once erased; fields that hold
    credentials, or hashes of them, stay sealed for everybody.
    """
    if isinstance(event, UnknownEvent):
        return {"unknown": event.problem}
    marks = personal_fields(type(event))
    return {
        name: _visible(name, getattr(event, name), marks.get(name), reveal)
        for name in event.__struct_fields__
    }


def _visible(name: str, value: Any, mark: Personal | None, reveal: bool) -> Any:
    if value is None:
        return None
    if isinstance(value, Erased):
        return ERASED
    secret = SECRET_NAME.search(name) or (mark is not None and mark.category == CREDENTIAL)
    if secret or (mark is not None and not reveal):
        return SEALED
    return msgspec.to_builtins(value)
