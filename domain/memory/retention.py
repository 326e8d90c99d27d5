"""What must be kept and what is being erased, decided in one place so that the two cannot pass each other."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import Conflict, FieldError, InvalidInput, NotFound
from domain.kernel.events import Event
from domain.memory.erasure_events import (
    LegalHoldPlaced,
    LegalHoldReleased,
    SelectionFreed,
    SelectionTombstoned,
)
from domain.memory.selection import HeldScope, Selection

ENTITY = "all"


class Retention(Aggregate):
    """The consistency boundary of a tenant's legal holds and of the erasures under way."""

    KIND: ClassVar[str] = "retention"

    active: dict[str, HeldScope]
    released: list[str]
    erasing: dict[str, Selection]

    def initialise(self) -> None:
        """Start without holds and erasures."""
        self.active = {}
        self.released = []
        self.erasing = {}

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case LegalHoldPlaced():
                self.active[event.hold.hold_id] = event.hold
            case LegalHoldReleased():
                self.active.pop(event.hold_id, None)
                self.released.append(event.hold_id)
            case SelectionTombstoned():
                self.erasing[event.purge_id] = event.selection
            case SelectionFreed():
                self.erasing.pop(event.purge_id, None)

    def place(self, hold: HeldScope, reason: str, at: datetime) -> None:
        """Place a hold. Raises InvalidInput for an empty or impossible one, Conflict during an erasure."""
        if hold.hold_id in self.active:
            return
        _check_hold(hold)
        for purge_id, selection in self.erasing.items():
            if selection.meets(hold):
                raise Conflict(
                    f"purge {purge_id} is erasing some of this; nothing of it can be held any more"
                )
        self.record(LegalHoldPlaced(hold=hold, reason=reason, placed_at=at), at)

    def release(self, hold_id: str, at: datetime) -> None:
        """End a hold; one that has ended stays so. Raises NotFound."""
        if hold_id in self.active:
            self.record(LegalHoldReleased(hold_id=hold_id, released_at=at), at)
        elif hold_id not in self.released:
            raise NotFound(f"there is no legal hold '{hold_id}'")

    def check(self, selection: Selection) -> None:
        """Raise Conflict when a hold protects some of a selection."""
        holds = [hold.hold_id for hold in self.active.values() if selection.meets(hold)]
        if holds:
            raise Conflict(
                f"legal hold {', '.join(sorted(holds))} protects some of what this purge would erase; "
                "nothing was erased. Release the hold, or select something else"
            )

    def tombstone(
        self, purge_id: str, selection: Selection, at: datetime, *, decided_before: bool = False
    ) -> None:
        """Hide a selection for its erasure. Raises Conflict for what a hold protects.

        `decided_before`: this was erased once already, before the log was restored; holds come too late.
        """
        if purge_id in self.erasing:
            return
        if not decided_before:
            self.check(selection)
        self.record(SelectionTombstoned(purge_id=purge_id, selection=selection, tombstoned_at=at), at)

    def free(self, purge_id: str, at: datetime) -> None:
        """End the hiding; nothing happens when it has ended."""
        if purge_id in self.erasing:
            self.record(SelectionFreed(purge_id=purge_id, freed_at=at), at)


def _check_hold(hold: HeldScope) -> None:
    if hold.subject is None and hold.category is None and hold.since is None and hold.until is None:
        pointers = ("/subject_id", "/category", "/from", "/to")
        raise InvalidInput(
            "a legal hold needs at least one condition: subject_id, category, from or to",
            [FieldError(pointer, "give at least one of these") for pointer in pointers],
        )
    if hold.since is not None and hold.until is not None and hold.since >= hold.until:
        raise InvalidInput.at("/to", "this must be after `from`")
