"""The base of every event, its envelope as read from the log, and the explicit registry of event types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

E = TypeVar("E", bound="Event")
Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact in the past tense, whose meaning never changes.

    Subclasses repeat `frozen=True, kw_only=True` and set TYPE, the stored name (`context.past_tense`).
    SCHEMA_VERSION grows when the shape changes; older shapes are lifted by upcasters, so a class describes
    only its newest shape.
    """

    TYPE: ClassVar[str] = ""
    SCHEMA_VERSION: ClassVar[int] = 1


class UnknownEvent(Event, frozen=True, kw_only=True):
    """An event that this version of the product cannot decode; kept, shown, never guessed at."""

    raw: msgspec.Raw = msgspec.Raw(b"{}")
    problem: str = "unknown type"


class Envelope(msgspec.Struct, Generic[E], frozen=True, kw_only=True):
    """An event with what the store knows about it. `position` is gapless and in commit order."""

    position: int
    tenant: str
    stream_id: str
    version: int
    type: str
    schema_version: int
    recorded_at: datetime
    command_id: str
    correlation: str
    actor: str
    event: E


class EventRegistry:
    """Maps stored type names to classes and upcasters; nothing is ever imported from table content."""

    def __init__(self) -> None:
        self._classes: dict[str, type[Event]] = {}
        self._upcasters: dict[tuple[str, int], Upcaster] = {}

    def register(
        self, classes: Iterable[type[Event]], upcasters: Mapping[tuple[str, int], Upcaster] | None = None
    ) -> None:
        """Add event classes and upcasters `(type, from_version) -> function(state) -> state`.

        Raises ValueError for an unnamed class, a name used twice, or a gap in a chain of upcasters.
        """
        for cls in classes:
            if not cls.TYPE:
                raise ValueError(f"{cls.__name__} has no stored type name")
            if self._classes.setdefault(cls.TYPE, cls) is not cls:
                raise ValueError(f"event type '{cls.TYPE}' is registered twice")
        self._upcasters.update(upcasters or {})
        for cls in self._classes.values():
            for version in range(1, cls.SCHEMA_VERSION):
                if (cls.TYPE, version) not in self._upcasters:
                    raise ValueError(f"'{cls.TYPE}' has no upcaster from version {version}")

    def find(self, type_name: str) -> type[Event] | None:
        """Return the class of a stored type name, or None when this version does not know it."""
        return self._classes.get(type_name)

    def upcast(self, type_name: str, from_version: int, state: dict[str, Any]) -> dict[str, Any]:
        """Lift a decoded state to the newest schema version, one step at a time."""
        for version in range(from_version, self._classes[type_name].SCHEMA_VERSION):
            state = self._upcasters[(type_name, version)](state)
        return state

    def types(self) -> tuple[type[Event], ...]:
        """Return every registered class, in the order of registration."""
        return tuple(self._classes.values())
