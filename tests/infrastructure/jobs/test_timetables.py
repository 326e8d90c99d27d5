"""Cron texts as timetables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.workflows.catalogue import MODEL_HEALTH_CHECK
from domain.workflows.schedule import Every
from domain.workflows.workflow import Settings
from infrastructure.jobs.timetables import Cron, cron_problem, timetable_of

TEXTS = ("*/10 * * * *", "0 3 * * *", "30 6 * * 1-5", "0 0 1 * *", "15,45 */2 * * *")


@given(st.sampled_from(TEXTS), st.integers(0, 2_000_000_000), st.integers(0, 999_999))
def test_the_slots_around_an_instant_are_neighbours(text: str, seconds: int, micros: int):
    at = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)
    cron = Cron(text)
    newest, following = cron.newest(at), cron.after(at)
    assert newest <= at < following
    assert cron.after(newest) == following
    assert cron.newest(following) == following
    assert cron.newest(following - timedelta(microseconds=1)) == newest


@pytest.mark.parametrize("text", ["", "0 3 * *", "61 * * * *", "0 0 30 2 *", "a b c d e", "* * * * * *"])
def test_unusable_texts_are_named(text: str):
    assert f"'{text}'" in (cron_problem(text) or "")


@pytest.mark.parametrize("text", [*TEXTS, "0 0 29 2 *"])
def test_usable_texts_have_no_problem(text: str):
    assert cron_problem(text) is None


def test_settings_rule_over_how_a_workflow_is_built():
    assert timetable_of(MODEL_HEALTH_CHECK, Settings()) == Every(300)
    assert timetable_of(MODEL_HEALTH_CHECK, Settings(interval_s=60)) == Every(60)
    assert isinstance(timetable_of(MODEL_HEALTH_CHECK, Settings(cron="0 3 * * *")), Cron)
