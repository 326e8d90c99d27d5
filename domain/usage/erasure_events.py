"""What erasures do to the records of gateway requests."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from domain.kernel.events import Event
from domain.kernel.personal import Erased, Personal

_SEALED = Personal(subject="subject", category="=requests", moment="moment")


class RequestRekeyed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The personal fields of the event at `original` were sealed anew, and nothing else changed.

    `moment` is when that request started or that rating was given; the old key may go.
    """

    TYPE: ClassVar[str] = "usage.request_rekeyed"

    request_id: str
    original: int
    moment: datetime
    subject: str
    user: Annotated[str | Erased | None, _SEALED] = None
    prompt: Annotated[str | Erased | None, _SEALED] = None
    answer: Annotated[str | Erased | None, _SEALED] = None
    comment: Annotated[str | Erased | None, _SEALED] = None


class RequestSubjectsErased(Event, frozen=True, kw_only=True):
    """Nothing is known any more of who these pseudonyms of requests are."""

    TYPE: ClassVar[str] = "usage.request_subjects_erased"

    purge_id: str
    subjects: tuple[str, ...]


EVENTS: tuple[type[Event], ...] = (RequestRekeyed, RequestSubjectsErased)
