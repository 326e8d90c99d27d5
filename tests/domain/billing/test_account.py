"""Accounts: periods close in order, credits pay, late usage is adjusted, history stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.billing.account import GRACE
from domain.billing.events import CreditConsumed, CreditExpired, InvoicePaid, InvoicePaymentFailed
from domain.kernel.errors import Conflict, InvalidInput
from tests.domain.billing.world import JAN, World, amounts, per_unit, plan

FEB = datetime(2026, 2, 1, tzinfo=UTC)
MAR = datetime(2026, 3, 1, tzinfo=UTC)
CLOSE = FEB + GRACE


@pytest.fixture
def world() -> World:
    return World()


def test_a_month_is_invoiced_as_it_was_previewed(world):
    world.subscribe(plan(per_unit(price="10"), base_fee_minor=2_000, included_tokens=100_000))
    world.use(JAN + timedelta(days=3), input=1_000_000, output=100_000)

    previewed = world.preview(JAN + timedelta(days=30))
    issued = world.close(CLOSE)

    assert amounts(issued) == amounts(previewed) == [("base_fee", 2_000), ("usage", 1_000)]
    assert (issued.number, issued.total_minor, issued.as_of_position) == ("INV-000001", 3_000, 1)
    assert world.account.due(CLOSE) is None


def test_a_period_stays_open_for_a_grace_after_its_end(world):
    world.subscribe(plan())
    assert world.account.due(CLOSE - timedelta(seconds=1)) is None
    assert world.account.due(CLOSE) is not None


def test_a_minimum_fills_up_what_is_missing(world):
    world.subscribe(plan(per_unit(price="10"), minimum_minor=5_000, base_fee_minor=100))
    world.use(JAN, input=1_000_000)
    assert amounts(world.close(CLOSE)) == [("base_fee", 100), ("usage", 1_000), ("minimum", 3_900)]


def test_a_first_part_of_a_month_pays_a_part_of_the_fee_and_includes_a_part_of_the_tokens(world):
    start = JAN + timedelta(days=15, hours=13)
    terms = plan(per_unit(price="10"), base_fee_minor=3_100, included_tokens=31_000_000)
    assert world.subscribe(terms, at=start) == JAN + timedelta(days=15)
    world.use(start, input=20_000_000)
    assert amounts(world.close(CLOSE)) == [("base_fee", 1_600), ("usage", 4_000)]


def test_late_usage_is_adjusted_on_the_next_invoice_at_the_terms_of_its_own_period(world):
    world.subscribe(plan(per_unit(price="10")))
    world.use(JAN, input=1_000_000)
    first = world.close(CLOSE)
    world.subscribe(plan(per_unit(price="99"), version=2), at=CLOSE)
    world.use(JAN + timedelta(days=30), input=500_000)
    world.use(FEB, input=100_000)

    second = world.close(MAR + GRACE)

    assert amounts(second) == [("usage", 100), ("adjustment", 500)]
    assert second.lines[1].adjusts == first.invoice_id
    assert second.lines[1].quantity == 500_000
    assert world.close(MAR + timedelta(days=40)).lines == ()


def test_an_adjustment_completes_the_same_sum_as_if_nothing_had_been_late(world):
    terms = plan(per_unit(price="7.77"), minimum_minor=300, included_tokens=1_000)
    world.subscribe(terms)
    punctual = World()
    punctual.subscribe(terms)
    for day in range(6):
        (world if day < 2 else punctual).use(JAN + timedelta(days=day), input=123_457)
        if day < 2:
            punctual.use(JAN + timedelta(days=day), input=123_457)
    first = world.close(CLOSE)
    for day in range(2, 6):
        world.use(JAN + timedelta(days=day), input=123_457)
    adjusted = sum(
        line.amount_minor for line in world.close(MAR + GRACE).lines if line.adjusts == first.invoice_id
    )
    assert first.total_minor + adjusted == punctual.close(CLOSE).total_minor


def test_what_a_correction_takes_back_is_carried_forward_and_not_paid_out(world):
    world.subscribe(plan(per_unit(price="10")))
    world.use(JAN, input=1_000_000)
    world.close(CLOSE)
    world.use(JAN, input=-400_000)
    second = world.close(MAR + GRACE)
    world.use(MAR, input=1_000_000)
    third = world.close(MAR + timedelta(days=32))

    assert amounts(second) == [("adjustment", -400), ("carried_forward", 400)]
    assert second.total_minor == 0
    assert amounts(third) == [("usage", 1_000), ("carried_over", -400)]


def test_credits_pay_by_priority_then_by_the_one_that_expires_first(world):
    world.subscribe(plan(per_unit(price="10")))
    world.grant("last", 900, priority=90)
    world.grant("later", 300, expires_at=MAR)
    world.grant("sooner", 300, expires_at=FEB)
    world.grant("gone", 300, expires_at=JAN + timedelta(seconds=1), priority=99)
    world.use(JAN, input=1_000_000)

    issued = world.close(CLOSE)

    assert [(line.grant_id, line.amount_minor) for line in issued.lines if line.grant_id] == [
        ("sooner", -300),
        ("later", -300),
        ("last", -400),
    ]
    assert (issued.subtotal_minor, issued.credits_minor, issued.total_minor) == (1_000, 1_000, 0)
    events = [e.payload for e in world.account.collect_events()]
    used = {e.grant_id: e.remaining_minor for e in events if isinstance(e, CreditConsumed)}
    assert used == {"sooner": 0, "later": 0, "last": 500}
    assert [e.grant_id for e in events if isinstance(e, CreditExpired)] == ["gone"]


def test_a_change_of_plan_begins_with_the_next_period_and_a_second_change_replaces_it(world):
    world.subscribe(plan(per_unit(price="1")))
    assert world.subscribe(plan(per_unit(price="2")), at=JAN + timedelta(days=5)) == FEB
    assert world.subscribe(plan(per_unit(price="3")), at=JAN + timedelta(days=6)) == FEB
    world.use(JAN + timedelta(days=7), input=1_000_000)
    world.use(FEB, input=1_000_000)
    assert amounts(world.close(CLOSE)) == [("usage", 100)]
    assert amounts(world.close(MAR + GRACE)) == [("usage", 300)]


def test_a_change_of_the_anchor_makes_a_short_period_in_between(world):
    world.subscribe(plan(base_fee_minor=2_800))
    world.subscribe(plan(base_fee_minor=2_800), at=JAN + timedelta(days=1), anchor_day=15)
    world.close(CLOSE)
    short = world.close(MAR)
    assert (short.period_start, short.period_end) == (FEB, FEB + timedelta(days=14))
    assert short.total_minor == round(2_800 * 14 / 31)


def test_a_cancelled_subscription_is_invoiced_to_its_end_and_no_further(world):
    world.subscribe(plan(base_fee_minor=100))
    assert world.account.cancel(JAN + timedelta(days=5)) == FEB
    assert world.close(CLOSE).total_minor == 100
    assert world.account.due(MAR + timedelta(days=300)) is None
    with pytest.raises(Conflict):
        world.account.cancel(MAR)


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        ("Europe/Berlin", datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)),
        (
            "Asia/Kathmandu",
            datetime(2026, 2, 28, 18, 15, tzinfo=UTC),
            datetime(2026, 3, 31, 18, 15, tzinfo=UTC),
        ),
    ],
)
def test_periods_follow_the_tenants_midnights_through_changes_of_the_clock(zone, start, end):
    world = World(MAR)
    world.subscribe(plan(), at=MAR + timedelta(hours=5), time_zone=zone, starts_at=start)
    period = world.account.ledger.period_at(MAR + timedelta(days=9)).period
    assert (period.start, period.end) == (start, end)


def test_the_last_day_of_short_months_stands_in_for_a_missing_anchor_day(world):
    world.subscribe(plan(), anchor_day=31)
    periods = [world.account.ledger.period_at(JAN + timedelta(days=d)).period for d in (0, 31, 60)]
    assert [p.end.date().isoformat() for p in periods] == ["2026-01-31", "2026-02-28", "2026-03-31"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"time_zone": "Nowhere/Land"}, "/time_zone"),
        ({"anchor_day": 0}, "/anchor_day"),
        ({"remote_prices": ("price_1",)}, "/remote_prices"),
        ({"starts_at": JAN + timedelta(days=1)}, "/starts_at"),
        ({"starts_at": JAN - timedelta(days=400)}, "/starts_at"),
    ],
)
def test_unusable_subscriptions_name_the_field(world, fields, pointer):
    with pytest.raises(InvalidInput) as refused:
        world.subscribe(plan(), **fields)
    assert refused.value.errors[0].pointer == pointer


def test_an_account_keeps_its_currency(world):
    world.subscribe(plan(currency="EUR"))
    with pytest.raises(Conflict):
        world.subscribe(plan(currency="JPY"))
    with pytest.raises(Conflict):
        world.grant("g", 5, currency="USD")


def test_a_paid_invoice_stays_paid_whatever_arrives_after(world):
    world.subscribe(plan(base_fee_minor=100))
    issued = world.close(CLOSE)
    failed = InvoicePaymentFailed(invoice_id=issued.invoice_id, attempts=1, noticed_at=CLOSE)
    paid = InvoicePaid(invoice_id=issued.invoice_id, amount_minor=100, noticed_at=CLOSE)

    noticed = [world.account.note_payment(event, CLOSE) for event in (failed, failed, paid, failed, paid)]

    assert noticed == [True, False, True, False, False]
