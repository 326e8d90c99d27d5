"""Ties the product's aggregates to the `eventsourcing` library; no other module of the domain imports it.

An aggregate is `apply(event)`, which changes state and never refuses, and methods that decide: they check
rules and `record` events. The clock comes in as an argument. Events are plain msgspec structs; the library
sees them inside one envelope, `Recorded`, so its versions, pending events and snapshots work unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

from eventsourcing.domain import BaseAggregate, CanMutateAggregate

from domain.kernel.events import Event


@dataclass(frozen=True)
class Recorded(CanMutateAggregate[str]):
    """The library's view of one event of one stream."""

    originator_id: str
    originator_version: int
    timestamp: datetime
    payload: Event

    def apply(self, aggregate: Any) -> None:
        """Hand the payload to the aggregate."""
        aggregate.apply(self.payload)


class Aggregate(BaseAggregate[str]):
    """A consistency boundary with one stream `tenant/kind/id`, whose versions start at 1.

    Subclasses set KIND and override `initialise` (the state before the first event) and `apply`.
    """

    KIND: ClassVar[str] = ""
    SNAPSHOT_EVERY: ClassVar[int] = 100

    @classmethod
    def blank(cls, stream_id: str, at: datetime) -> Self:
        """Return the aggregate as it is before its first event (version 0)."""
        aggregate = cls.__new__(cls)
        aggregate.__base_init__(originator_id=stream_id, originator_version=0, timestamp=at)
        aggregate.initialise()
        return aggregate

    def initialise(self) -> None:
        """Set the attributes that hold the state before the first event."""

    def apply(self, event: Event) -> None:
        """Change state by one event; total: it accepts every event that was ever recorded."""

    def record(self, event: Event, at: datetime) -> None:
        """Record a decision: apply it now and keep it for saving."""
        self.trigger_event(Recorded, payload=event, timestamp=at)

    @property
    def exists(self) -> bool:
        """Tell whether anything has happened to this aggregate yet."""
        return self.version > 0


def stream_id(tenant: str, kind: str, entity_id: str) -> str:
    """Return the stream's name, `tenant/kind/id`."""
    return f"{tenant}/{kind}/{entity_id}"
