"""Reads like the rule it tests: `given(Tenant, *events).when(decide).then(*events)`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic, TypeVar, cast

import pytest

from domain.kernel.aggregate import Aggregate, Recorded
from domain.kernel.errors import AiosError, InvalidInput
from domain.kernel.events import Event

A = TypeVar("A", bound=Aggregate)
AT = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


class Decided:
    """What came of a wish: new events, or the error that refused it."""

    def __init__(self, events: tuple[Event, ...], error: AiosError | None) -> None:
        self.events = events
        self.error = error

    def then(self, *expected: Event) -> None:
        """Exactly these events were recorded."""
        assert self.error is None, f"refused: {self.error}"
        assert self.events == expected

    def then_refused(self, kind: type[AiosError], *words: str) -> None:
        """The wish was refused with this error, whose message holds the words; nothing was recorded."""
        assert isinstance(self.error, kind), f"not refused with {kind.__name__}: {self.error!r}"
        for word in words:
            assert word in self.error.message
        assert self.events == ()

    def then_unusable(self, *pointers: str) -> None:
        """The wish was refused and exactly these fields were named."""
        assert isinstance(self.error, InvalidInput), f"not refused: {self.events}"
        assert [error.pointer for error in self.error.errors] == list(pointers)
        assert self.events == ()


class Given(Generic[A]):
    """An aggregate with a history."""

    def __init__(self, cls: type[A], events: tuple[Event, ...]) -> None:
        self.aggregate = cls.blank(f"acme/{cls.KIND}/x", AT)
        for number, event in enumerate(events, 1):
            Recorded(self.aggregate.id, number, AT, event).mutate(self.aggregate)

    def when(self, decide: Callable[[A], object]) -> Decided:
        """Let the aggregate decide."""
        try:
            decide(self.aggregate)
        except AiosError as error:
            return Decided(self._recorded(), error)
        return Decided(self._recorded(), None)

    def _recorded(self) -> tuple[Event, ...]:
        return tuple(cast("Recorded", event).payload for event in self.aggregate.collect_events())


def given(cls: type[A], *events: Event) -> Given[A]:
    """Return an aggregate to which these events have happened."""
    return Given(cls, events)


def refused(kind: type[AiosError], decide: Callable[[], object]) -> AiosError:
    """Return the error of a decision outside any aggregate."""
    with pytest.raises(kind) as caught:
        decide()
    return caught.value
