"""When something is due, and what becomes of what was missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.workflows.schedule import MOST_AT_ONCE, CatchUp, Every, due_slots

TEN_MINUTES = Every(600)
NOON = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INSTANTS = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001  # hypothesis adds the time zone itself
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
INTERVALS = st.integers(60, 31 * 86400)


def due(last: datetime, now: datetime, catch_up: CatchUp = "latest") -> tuple[datetime, ...]:
    return due_slots(TEN_MINUTES, last=last, now=now, catch_up=catch_up, grace=MINUTE)


@given(INTERVALS, INSTANTS)
def test_slots_lie_on_one_grid_and_frame_every_instant(seconds: int, at: datetime):
    every = Every(seconds)
    newest, following = every.newest(at), every.after(at)
    assert newest <= at < following
    assert following - newest == timedelta(seconds=seconds)
    assert newest.timestamp() % seconds == 0


@pytest.mark.parametrize("catch_up", ["latest", "skip", "all"])
def test_nothing_is_due_before_the_next_slot(catch_up: CatchUp):
    assert due(NOON, NOON + 9 * MINUTE, catch_up) == ()


@pytest.mark.parametrize("catch_up", ["latest", "skip", "all"])
def test_a_slot_that_came_on_time_is_due_once(catch_up: CatchUp):
    slot = NOON + 10 * MINUTE
    assert due(NOON, slot + timedelta(seconds=1), catch_up) == (slot,)
    assert due(slot, slot + timedelta(seconds=2), catch_up) == ()


def test_six_hours_of_downtime_are_made_up_for_by_policy():
    now = NOON + timedelta(hours=6, minutes=5)
    missed = tuple(NOON + n * 10 * MINUTE for n in range(1, 37))
    assert due(NOON, now, "latest") == missed[-1:]
    assert due(NOON, now, "skip") == ()
    assert due(NOON, now, "all") == missed


def test_catching_up_on_all_goes_in_steps_and_loses_none():
    last = NOON
    ticked: list[datetime] = []
    while slots := due(last, NOON + timedelta(days=2), "all"):
        assert len(slots) <= MOST_AT_ONCE
        ticked += slots
        last = slots[-1]
    assert ticked == [NOON + n * 10 * MINUTE for n in range(1, 2 * 144 + 1)]


@pytest.mark.parametrize("catch_up", ["latest", "skip", "all"])
def test_a_clock_that_went_back_ticks_nothing_twice(catch_up: CatchUp):
    assert due(NOON, NOON - timedelta(hours=3), catch_up) == ()


@given(INTERVALS, INSTANTS, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_every_policy_ticks_only_new_slots_that_have_come(seconds: int, last: datetime, passed: timedelta):
    now = last + passed
    for catch_up in ("latest", "skip", "all"):
        slots = due_slots(Every(seconds), last=last, now=now, catch_up=catch_up, grace=MINUTE)
        assert all(last < slot <= now for slot in slots)
        assert sorted(set(slots)) == list(slots)
