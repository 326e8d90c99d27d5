"""The port through which auditors read the log of a tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from domain.kernel.events import Envelope


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are wanted; None stands for any.

    `type` and `stream` match exactly, or by their beginning when they end in `*`. Positions are exclusive.
    """

    type: str | None = None
    stream: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    before: int | None = None


class ListEvents(Protocol):
    """Returns up to `limit` events of a tenant by position, or against it.

    What does not decode arrives as UnknownEvent. Raises Unavailable when the log does not answer.
    """

    async def __call__(
        self, tenant: str, wanted: EventFilter, *, limit: int, newest_first: bool = False
    ) -> Sequence[Envelope[Any]]: ...
