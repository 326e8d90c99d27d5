"""What the use cases need from the outside world, as protocols of at most five methods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from domain.kernel.aggregate import Aggregate
from domain.kernel.events import Envelope, Event

A = TypeVar("A", bound=Aggregate)


class NewEvent(msgspec.Struct, frozen=True):
    """An event to append to a stream `tenant/kind/id`.

    `expected_version` is the version the stream must have before this event (0: no event yet); None appends
    to a plain stream, whatever its version.
    """

    stream_id: str
    event: Event
    expected_version: int | None = None


class Claim(msgspec.Struct, frozen=True):
    """A unique name taken (or released) in the transaction that appends: (tenant, scope, name) -> holder."""

    scope: str
    name: str
    holder: str
    release: bool = False


class AppendRequest(msgspec.Struct, frozen=True):
    """One command's events: all of them are stored, or none.

    A `command_id` seen before changes nothing and answers with the positions of the first time.
    """

    tenant: str
    command_id: str
    events: tuple[NewEvent, ...]
    correlation: str = ""
    actor: str = ""
    claims: tuple[Claim, ...] = ()


class Appended(msgspec.Struct, frozen=True):
    """Where a command's events stand in the log; `duplicate` when they were stored by an earlier attempt."""

    first_position: int
    last_position: int
    duplicate: bool = False


class EventLog(Protocol):
    """The one event store.

    `append` raises VersionConflict, NameTaken, or Unavailable("database") when nothing was stored.
    `read` yields events after a position in log order, of some types or all, up to the end of the log.
    """

    async def append(self, request: AppendRequest) -> Appended: ...

    async def load(self, cls: type[A], stream_id: str, *, until: int | None = None) -> A:
        """Return the aggregate as of now or of version `until`; blank (version 0) when it has no events."""
        ...

    def read_stream(self, stream_id: str, *, after_version: int = 0) -> AsyncIterator[Envelope[Any]]: ...

    def read(
        self, *, after: int = 0, types: Sequence[str] | None = None, tenant: str | None = None
    ) -> AsyncIterator[Envelope[Any]]: ...

    async def head(self) -> int:
        """Return the position of the newest event, 0 for an empty log."""
        ...


class Clock(Protocol):
    """The time of decisions, timezone-aware UTC."""

    def __call__(self) -> datetime: ...


class ReadModels(Protocol):
    """Lets a command wait until what it wrote can be read.

    `caught_up` returns True when every read model (or the named ones) has applied `position`, False when
    `timeout_s` passed first; `everywhere` waits for the in-memory state of every API process alike.
    """

    async def caught_up(
        self, position: int, projections: Sequence[str] = (), timeout_s: float = 2.0
    ) -> bool: ...

    async def everywhere(self, position: int, timeout_s: float = 5.0) -> bool: ...
