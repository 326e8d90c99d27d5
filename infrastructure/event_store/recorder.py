"""The `eventsourcing` library's recorder interface over our log, so that its applications can save here.

For aggregates in synchronous code such as job actors: calls are handed to the committer's event loop. The
library's own state bytes are kept as they are, in events of type `library.event`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar, TypeVar
from uuid import UUID, uuid4

from eventsourcing.persistence import ApplicationRecorder, IntegrityError, Notification, StoredEvent

from application.ports import AppendRequest, NewEvent
from domain.kernel.errors import VersionConflict
from domain.kernel.events import Envelope, Event
from infrastructure.event_store.log import PostgresEventLog
from infrastructure.event_store.reader import LogReader

T = TypeVar("T")
KIND = "library"


class LibraryEvent(Event, frozen=True, kw_only=True):
    """An event of one of the library's own aggregates, with its topic and its mapper's bytes."""

    TYPE: ClassVar[str] = "library.event"

    topic: str
    state: bytes


class LogRecorder(ApplicationRecorder):
    """Implements the recorder for one tenant; originator ids become streams `tenant/library/<id>`."""

    def __init__(
        self, log: PostgresEventLog, reader: LogReader, loop: asyncio.AbstractEventLoop, tenant: str
    ) -> None:
        super().__init__()
        self._log = log
        self._reader = reader
        self._loop = loop
        self._tenant = tenant

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Append events of any number of aggregates, all or nothing. Raises the library's IntegrityError."""
        events = tuple(
            NewEvent(
                self._stream(e.originator_id),
                LibraryEvent(topic=e.topic, state=e.state),
                e.originator_version - 1,
            )
            for e in stored_events
        )
        if not events:
            return []
        command_id = str(kwargs.get("command_id") or uuid4())
        request = AppendRequest(self._tenant, command_id, events, actor="system/library")
        try:
            stored = self._wait(self._log.append(request))
        except VersionConflict as error:
            raise IntegrityError(error.message) from error
        return range(stored.first_position, stored.last_position + 1)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return an aggregate's events, as the library's repository asks for them."""
        found = self._wait(self._stream_events(self._stream(originator_id), gt or 0))
        wanted = [e for e in found if lte is None or e.version <= lte]
        if desc:
            wanted.reverse()
        return [_stored(originator_id, e) for e in wanted[:limit]]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return the library's events of this tenant in log order."""
        after = (start or 0) - (1 if inclusive_of_start else 0)
        batch = self._wait(self._reader.read_batch(max(after, 0), limit, [LibraryEvent.TYPE], self._tenant))
        found = [e for e in batch.events if stop is None or e.position <= stop]
        return [
            Notification(id=e.position, **_fields(e.stream_id.rsplit("/", 1)[1], e))
            for e in found
            if not topics or e.event.topic in topics
        ]

    def max_notification_id(self) -> int | None:
        """Return the position of the newest event of the log, None when it is empty."""
        return self._wait(self._reader.head()) or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Any:
        """Refuse: the product's own projections follow the log, with batches, leases and parking."""
        raise TypeError("follow the log with infrastructure.event_store.tail.Tail instead")

    async def _stream_events(self, stream_id: str, after: int) -> list[Envelope[Any]]:
        return [e async for e in self._log.read_stream(stream_id, after_version=after)]

    def _stream(self, originator_id: UUID | str) -> str:
        return f"{self._tenant}/{KIND}/{originator_id}"

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _stored(originator_id: UUID | str, envelope: Envelope[Any]) -> StoredEvent:
    return StoredEvent(**_fields(originator_id, envelope))


def _fields(originator_id: UUID | str, envelope: Envelope[Any]) -> dict[str, Any]:
    return {
        "originator_id": originator_id,
        "originator_version": envelope.version,
        "topic": envelope.event.topic,
        "state": envelope.event.state,
    }
