"""What happens to memories. Each stands on its own plain stream `tenant/memory/memory_id`.

An event that changes a memory carries the whole of it as it is afterwards, so the newest one is its state
and readers need no other. Category, data subject and `occurred_at` never change: they say which data key
seals it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from domain.kernel.events import Event
from domain.kernel.personal import Erased, Personal

KIND = "memory"
Origin = Literal["written", "extracted"]
Change = Literal["edited", "merged"]
_SEALED = Personal(subject="subject", category="category", moment="occurred_at", bucket="bucket")


class MemoryDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="details"):
    """What goes with the content of a memory and is personal like it: the caller's ids and metadata.

    `pseudonyms` maps tokens in the content to what they stand for, where scrubbing is reversible.
    """

    subject_id: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    metadata: Mapping[str, Any] = {}
    pseudonyms: Mapping[str, str] = {}


class Remembered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A memory as it is after an event; the base of those that carry it, no event by itself.

    `subject` is the keyed pseudonym of `subject_id`, else of `user_id`, else `record:` and the memory's id.
    `ttl_days` is the memory's own, counted from `occurred_at`. `bucket` is set once it was sealed anew.
    `confined` memories go to no third party. `scrubbed` counts by type what was taken out of it by version
    `detector` (0: it was not looked for); `request_id` is the request whose answer it was extracted from.
    `tokens` are the pseudonyms in it; what they stand for is in `details`, sealed.
    """

    memory_id: str
    subject: str
    category: str
    occurred_at: datetime
    added_at: datetime
    changed_at: datetime
    ttl_days: int | None = None
    bucket: str | None = None
    origin: Origin = "written"
    confined: bool = False
    scrubbed: Mapping[str, int] = {}
    detector: int = 0
    request_id: str | None = None
    tokens: tuple[str, ...] = ()
    content: Annotated[str | Erased | None, _SEALED] = None
    details: Annotated[MemoryDetails | Erased | None, _SEALED] = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.memory_id})"


class MemoryAdded(Remembered, frozen=True, kw_only=True, omit_defaults=True):
    """Something is to be remembered."""

    TYPE: ClassVar[str] = "memory.added"


class MemoryUpdated(Remembered, frozen=True, kw_only=True, omit_defaults=True):
    """A memory was edited, or a duplicate of it came and was merged into it."""

    TYPE: ClassVar[str] = "memory.updated"

    change: Change = "edited"


class MemoryRekeyed(Remembered, frozen=True, kw_only=True, omit_defaults=True):
    """A memory was sealed anew, and nothing else changed: its old key may go.

    It repeats the event at `original`, whose position stays that of the memory.
    """

    TYPE: ClassVar[str] = "memory.rekeyed"

    original: int | None = None


class MemoryDeleted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A memory was deleted: no reader finds it any more."""

    TYPE: ClassVar[str] = "memory.deleted"

    memory_id: str
    subject: str
    category: str
    occurred_at: datetime
    deleted_at: datetime


class RecallMeasured(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A vector search through the index was compared with an exact one: how many of its best ten were found.

    On the plain stream `tenant/memory-recall/YYYY-MM`; it says nothing of what was searched.
    """

    TYPE: ClassVar[str] = "memory.recall_measured"

    measured_at: datetime
    model: str
    memories: int
    expected: int
    found: int
    index_ms: float
    exact_ms: float


EVENTS: tuple[type[Event], ...] = (MemoryAdded, MemoryUpdated, MemoryRekeyed, MemoryDeleted, RecallMeasured)
