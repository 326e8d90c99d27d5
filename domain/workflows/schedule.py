"""When something is due: slots of a timetable, and what becomes of slots that passed while nobody looked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_AT_ONCE = 100
CatchUp = Literal["latest", "skip", "all"]


class Timetable(Protocol):
    """The instants at which something is due, without end in both directions; all times are UTC."""

    def newest(self, at: datetime) -> datetime:
        """Return the last slot that is not after `at`."""
        ...

    def after(self, at: datetime) -> datetime:
        """Return the first slot after `at`."""
        ...


class Every(msgspec.Struct, frozen=True):
    """A slot every so many seconds, on a grid that starts at the epoch: every 300 s is :00, :05, :10 ..."""

    seconds: int

    def newest(self, at: datetime) -> datetime:
        """Return the last slot that is not after `at`."""
        whole = (at - EPOCH) // timedelta(seconds=self.seconds)
        return EPOCH + timedelta(seconds=whole * self.seconds)

    def after(self, at: datetime) -> datetime:
        """Return the first slot after `at`."""
        return self.newest(at) + timedelta(seconds=self.seconds)


def due_slots(
    timetable: Timetable, *, last: datetime, now: datetime, catch_up: CatchUp, grace: timedelta
) -> tuple[datetime, ...]:
    """Return the slots to tick now, oldest first; `last` is the newest slot that needs no tick any more.

    After a downtime `latest` makes up for all missed slots by one tick, `all` ticks each of them (100 a
    call), `skip` none: it only ticks a slot that is not older than `grace`. A clock that went back ticks
    nothing until it has caught up with `last`.
    """
    newest = timetable.newest(now)
    if newest <= last:
        return ()
    if catch_up == "latest":
        return (newest,)
    if catch_up == "skip":
        return (newest,) if now - newest <= grace else ()
    slots: list[datetime] = []
    slot = timetable.after(last)
    while slot <= now and len(slots) < MOST_AT_ONCE:
        slots.append(slot)
        slot = timetable.after(slot)
    return tuple(slots)
