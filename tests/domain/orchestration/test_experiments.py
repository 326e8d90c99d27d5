"""What experiments show, and the shares that results lead to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.orchestration.experiments import (
    Estimate,
    Tally,
    arm_names,
    mean_estimate,
    quality_score,
    share_estimate,
    thompson_shares,
)
from domain.orchestration.policy import Arm, Experiment, Rule


def test_wilsons_interval_is_the_published_one():
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20
    assert share_estimate(81, 263) == Estimate(263, 0.308, 0.2553, 0.3662)
    assert share_estimate(0, 20) == Estimate(20, 0.0, 0.0, 0.1611)
    assert share_estimate(0, 0) == Estimate(0)


def test_a_mean_has_an_interval_from_two_values_on():
    assert mean_estimate(0, 0, 0) == Estimate(0)
    assert mean_estimate(1, 0.5, 0.25) == Estimate(1, 0.5)
    found = mean_estimate(4, 10, 30)  # 1, 2, 3, 4
    assert found.value == 2.5
    assert found.low == pytest.approx(2.5 - 1.959964 * (5 / 3 / 4) ** 0.5, abs=1e-3)


def test_one_praise_proves_less_than_many():
    assert quality_score(0, 0, 0) == 0.0
    assert quality_score(1, 1, 1) < quality_score(10, 10, 10) < quality_score(1000, 1000, 1000)
    assert quality_score(50, -50, 50) < -0.5


def test_arms_have_the_names_that_decisions_give_them():
    arms = (Arm(model="m1"), Arm(model="m2", provider="other"))
    rule = Rule(segment="*", provider="p", model="m", experiment=Experiment(name="e", arms=arms))
    assert arm_names(rule) == ("p/m1", "other/m2")
    assert arm_names(Rule(segment="*", provider="p", model="m")) == ()


def test_the_better_arm_gets_more_and_the_worse_keeps_its_floor():
    good = Tally(requests=200, succeeded=200, rated=200, feedback=160, feedback_squares=150)
    bad = Tally(requests=200, succeeded=200, rated=200, feedback=-100, feedback_squares=150)
    shares = thompson_shares([bad, good], 0.05)
    assert shares == pytest.approx((0.05, 0.95), abs=1e-3)


def test_without_ratings_success_decides_and_without_anything_nothing_does():
    failing = Tally(requests=100, succeeded=60)
    working = Tally(requests=100, succeeded=99)
    assert thompson_shares([failing, working], 0.1)[1] > 0.89
    assert thompson_shares([Tally(), Tally()], 0.05) == pytest.approx((0.5, 0.5), abs=1e-3)
    assert thompson_shares([], 0.1) == ()


def test_an_arm_that_fails_unrated_loses_to_one_that_is_rated_so_so():
    failing = Tally(requests=100, succeeded=0)
    so_so = Tally(requests=100, succeeded=100, rated=30, feedback=3, feedback_squares=10)
    assert thompson_shares([failing, so_so], 0.0)[1] > 0.99


counts = st.integers(0, 10_000_000)


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    requests = draw(counts)
    rated = draw(st.integers(0, requests))
    return Tally(
        requests=requests,
        succeeded=draw(st.integers(0, requests)),
        rated=rated,
        feedback=rated * draw(st.floats(-1, 1)),
        feedback_squares=float(rated),
    )


@settings(deadline=None)
@given(st.lists(tallies(), min_size=2, max_size=6), st.floats(0, 0.16))
def test_shares_are_a_whole_and_none_is_below_the_floor(drawn: list[Tally], floor: float):
    shares = thompson_shares(drawn, floor)
    assert sum(shares) == pytest.approx(1.0, abs=1e-4)
    assert all(share >= floor - 1e-6 for share in shares)


@settings(deadline=None)
@given(counts, st.data())
def test_an_interval_holds_its_estimate(count: int, data: st.DataObject):
    successes = data.draw(st.integers(0, count))
    found = share_estimate(successes, count)
    if count:
        assert 0 <= (found.low or 0) <= (found.value or 0) <= (found.high or 0) <= 1
