"""Legal holds and erasures cannot pass each other; selections say exactly what they reach."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.kernel.errors import Conflict, Forbidden, NotFound
from domain.memory.erasure_events import (
    LegalHoldPlaced,
    LegalHoldReleased,
    PurgeApproved,
    PurgeRejected,
    PurgeRequested,
    PurgeStarted,
    SelectionFreed,
    SelectionTombstoned,
)
from domain.memory.purge import Purge
from domain.memory.retention import Retention
from domain.memory.selection import HeldScope, Selection
from tests.domain.given import AT, given

HOLD = HeldScope(hold_id="h1", subject="s_anna")
PLACED = LegalHoldPlaced(hold=HOLD, reason="lawsuit", placed_at=AT)
ANNA, NOTES = Selection(subject="s_anna"), Selection(category="notes")
TOMB = SelectionTombstoned(purge_id="p1", selection=ANNA, tombstoned_at=AT)


def test_a_hold_stops_the_erasure_of_anything_it_could_protect():
    for selection in (ANNA, NOTES, Selection(before=AT)):
        tombstone = partial(Retention.tombstone, purge_id="p1", selection=selection, at=AT)
        given(Retention, PLACED).when(tombstone).then_refused(Conflict, "h1")
    other = Selection(subject="s_ben")
    given(Retention, PLACED).when(lambda r: r.tombstone("p1", other, AT)).then(
        SelectionTombstoned(purge_id="p1", selection=other, tombstoned_at=AT)
    )


def test_nothing_that_is_being_erased_can_be_held_until_it_is_free():
    given(Retention, TOMB).when(lambda r: r.place(HOLD, "lawsuit", AT)).then_refused(Conflict, "p1")
    freed = SelectionFreed(purge_id="p1", freed_at=AT)
    given(Retention, TOMB, freed).when(lambda r: r.place(HOLD, "lawsuit", AT)).then(PLACED)


def test_a_released_hold_protects_nothing_and_stays_released():
    released = LegalHoldReleased(hold_id="h1", released_at=AT)
    given(Retention, PLACED).when(lambda r: r.release("h1", AT)).then(released)
    given(Retention, PLACED, released).when(lambda r: r.release("h1", AT)).then()
    given(Retention, PLACED, released).when(lambda r: r.tombstone("p1", ANNA, AT)).then(TOMB)
    given(Retention).when(lambda r: r.release("h1", AT)).then_refused(NotFound, "h1")


def test_a_hold_needs_a_condition_and_an_order_of_times():
    empty = HeldScope(hold_id="h2")
    given(Retention).when(lambda r: r.place(empty, "x", AT)).then_unusable(
        "/subject_id", "/category", "/from", "/to"
    )
    turned = HeldScope(hold_id="h2", since=AT, until=AT - timedelta(days=1))
    given(Retention).when(lambda r: r.place(turned, "x", AT)).then_unusable("/to")


def test_what_was_erased_before_a_restore_is_erased_again_whatever_is_held():
    given(Retention, PLACED).when(lambda r: r.tombstone("p1", ANNA, AT, decided_before=True)).then(TOMB)


def requested(*, approval: bool) -> PurgeRequested:
    return PurgeRequested(
        purge_id="p1",
        selection=ANNA,
        reason="r",
        requested_by="key/1",
        requested_at=AT,
        approval_required=approval,
    )


def test_a_purge_that_waits_can_be_rejected_once_and_is_over_then():
    rejected = PurgeRejected(purge_id="p1", rejected_by="key/2", rejected_at=AT)
    wish = requested(approval=True)
    given(Purge, wish).when(lambda p: p.reject("p1", "key/2", AT)).then(rejected)
    given(Purge, wish, rejected).when(lambda p: p.reject("p1", "key/1", AT)).then()
    given(Purge, wish, rejected).when(lambda p: p.approve("p1", "key/2", AT)).then_refused(Conflict)
    given(Purge, requested(approval=False)).when(lambda p: p.reject("p1", "key/2", AT)).then_refused(Conflict)
    given(Purge).when(lambda p: p.reject("p1", "key/2", AT)).then_refused(NotFound)


def test_a_purge_starts_at_once_or_after_somebody_else_approved():
    started = PurgeStarted(purge_id="p1", started_at=AT)
    given(Purge).when(lambda p: p.request("p1", ANNA, "r", "key/1", AT)).then(
        requested(approval=False), started
    )
    waiting = given(Purge, requested(approval=True))
    waiting.when(lambda p: p.approve("p1", "key/1", AT)).then_refused(Forbidden)
    given(Purge, requested(approval=True)).when(lambda p: p.approve("p1", "key/2", AT)).then(
        PurgeApproved(purge_id="p1", approved_by="key/2", approved_at=AT), started
    )
    given(Purge, requested(approval=False)).when(lambda p: p.approve("p1", "key/2", AT)).then_refused(
        Conflict
    )


def test_a_purge_selects_something_that_has_happened():
    given(Purge).when(lambda p: p.request("p1", Selection(), "r", "key/1", AT)).then_unusable(
        "/subject_id", "/category", "/before_date"
    )
    future = Selection(before=AT + timedelta(seconds=1))
    given(Purge).when(lambda p: p.request("p1", future, "r", "key/1", AT)).then_unusable("/before_date")


TIMES = st.integers(0, 3650).map(lambda days: AT - timedelta(days=days))
NAMES = st.sampled_from(["a", "b"])
SELECTIONS = st.builds(
    Selection, subject=st.none() | NAMES, category=st.none() | NAMES, before=st.none() | TIMES
)
HOLDS = st.builds(
    HeldScope,
    hold_id=st.just("h"),
    subject=st.none() | NAMES,
    category=st.none() | NAMES,
    since=st.none() | TIMES,
    until=st.none() | TIMES,
)


@for_all(SELECTIONS, HOLDS, NAMES, NAMES, TIMES)
def test_what_is_reached_and_held_always_makes_the_two_meet(selection, hold, subject, category, at):
    if selection.reaches(subject, category, at) and hold.holds(subject, category, at):
        assert selection.meets(hold)


@for_all(SELECTIONS, HOLDS, NAMES, NAMES, TIMES)
def test_what_is_spared_is_never_reached(selection, hold, subject, category, at):
    sparing = Selection(
        subject=selection.subject, category=selection.category, before=selection.before, spared=(hold,)
    )
    if hold.holds(subject, category, at):
        assert not sparing.reaches(subject, category, at)
