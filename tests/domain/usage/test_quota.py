"""What may be set as a quota, and where a scope stands."""

from __future__ import annotations

import pytest

from domain.usage.events import QuotaSet, SoftCapReached
from domain.usage.quota import QuotaLimits, Scope, scopes_of, state_of
from domain.usage.quota_aggregate import Quota
from tests.domain.given import AT, given


def test_setting_limits_makes_the_next_version() -> None:
    before = QuotaSet(scope="workspace", scope_id="w1", version=1, set_at=AT, limits=QuotaLimits())
    limits = QuotaLimits(monthly_token_limit=5)
    given(Quota, before).when(lambda quota: quota.set(Scope("workspace", "w1"), limits, AT)).then(
        QuotaSet(scope="workspace", scope_id="w1", version=2, set_at=AT, limits=limits)
    )


def test_a_crossed_threshold_changes_nothing_of_the_limits() -> None:
    reached = SoftCapReached(
        scope="tenant", month="2026-11", unit="tokens", used=8, limit=10, threshold=0.8, reached_at=AT
    )
    given(Quota, reached).when(lambda quota: quota.set(Scope("tenant"), QuotaLimits(), AT)).then(
        QuotaSet(scope="tenant", version=1, set_at=AT, limits=QuotaLimits())
    )


@pytest.mark.parametrize(
    ("scope", "limits", "pointer"),
    [
        (Scope("tenant"), QuotaLimits(monthly_token_limit=-1), "/monthly_token_limit"),
        (Scope("tenant"), QuotaLimits(monthly_token_limit=10**30), "/monthly_token_limit"),
        (Scope("tenant"), QuotaLimits(monthly_cost_limit_micros=0), "/monthly_cost_limit_usd"),
        (Scope("tenant"), QuotaLimits(soft_cap_threshold=1.5), "/soft_cap_threshold"),
        (Scope("tenant"), QuotaLimits(time_zone="Mars/Olympus"), "/time_zone"),
        (Scope("key", "k1"), QuotaLimits(time_zone="Europe/Berlin"), "/time_zone"),
        (Scope("tenant", "x"), QuotaLimits(), "/id"),
        (Scope("workspace", "no good"), QuotaLimits(), "/id"),
        (Scope("segment"), QuotaLimits(), "/id"),
    ],
)
def test_unusable_limits_are_named(scope: Scope, limits: QuotaLimits, pointer: str) -> None:
    given(Quota).when(lambda quota: quota.set(scope, limits, AT)).then_unusable(pointer)


def test_the_state_goes_from_ok_over_warning_to_exceeded() -> None:
    limits = QuotaLimits(monthly_token_limit=100)
    assert [state_of(limits, "tokens", used, 0) for used in (79, 80, 99, 100, 150)] == [
        "ok",
        "warning",
        "warning",
        "exceeded",
        "exceeded",
    ]
    assert state_of(limits, "tokens", 10, 90) == "exceeded"


def test_usage_counts_in_every_scope_that_a_request_names() -> None:
    assert scopes_of("w", "k", None, "s_1") == (
        Scope("tenant"),
        Scope("workspace", "w"),
        Scope("key", "k"),
        Scope("user", "s_1"),
    )
