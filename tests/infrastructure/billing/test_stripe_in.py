"""What comes from Stripe: signed, once, in any order."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from domain.kernel.errors import InvalidInput, Unauthenticated
from infrastructure.billing.stripe_signature import StripeNotices
from tests.fakes.stripe_webhooks import body_of, signed
from tests.infrastructure.billing.desk import SECRET, Desk

PAID, FAILED, ABANDONED = (
    "billing.invoice_paid",
    "billing.invoice_payment_failed",
    "billing.invoice_abandoned",
)


async def sent(desk: Desk) -> str:
    """Bring an invoice to Stripe; returns its id there."""
    await desk.invoiced()
    assert await desk.work()
    [invoice] = desk.fake.of("invoice")
    return str(invoice["id"])


async def test_a_paid_invoice_is_noticed_once_however_often_it_is_told(desk: Desk) -> None:
    paid = desk.fake.state.settle(await sent(desk), "paid", paid=True)

    new = await desk.deliver(paid, paid, paid)

    assert new == [True, False, False]
    assert await desk.statuses() == [PAID]


async def test_the_order_of_notices_means_nothing(desk: Desk) -> None:
    remote = await sent(desk)
    for status in ("open", "open", "paid"):
        desk.fake.state.settle(remote, status, paid=status == "paid")
    events = list(desk.fake.state.events)
    Random(3).shuffle(events)

    await desk.deliver(*events, *events)

    assert await desk.statuses() == [PAID]


async def test_a_failed_payment_is_noticed_and_then_paid(desk: Desk) -> None:
    remote = await sent(desk)
    failed = desk.fake.state.settle(remote, "open")
    await desk.deliver(failed)
    paid = desk.fake.state.settle(remote, "paid", paid=True)
    await desk.deliver(paid, failed)
    assert await desk.statuses() == [FAILED, PAID]


@pytest.mark.parametrize("status", ["void", "uncollectible"])
async def test_what_stripe_gives_up_is_noticed(desk: Desk, status: str) -> None:
    await desk.deliver(desk.fake.state.settle(await sent(desk), status))
    assert await desk.statuses() == [ABANDONED]


async def test_kinds_that_mean_nothing_here_are_stored(desk: Desk) -> None:
    event = desk.fake.state.happen("fine_tuning.dreamt", {"object": "dream", "id": "dream_1"})

    assert await desk.deliver(event) == [True]

    [notice] = await desk.stored()
    assert (notice.kind, notice.object_type, notice.object_id) == ("fine_tuning.dreamt", "dream", "dream_1")


@pytest.mark.parametrize(
    ("kind", "difference"),
    [
        ("charge.dispute.created", "dispute"),
        ("v1.billing.meter.error_report_triggered", "meter_error"),
        ("customer.subscription.deleted", "subscription_ended"),
    ],
)
async def test_troubles_become_differences(desk: Desk, kind: str, difference: str) -> None:
    event = desk.fake.state.happen(kind, {"object": "thing", "id": "th_1"})
    await desk.deliver(event, event)
    assert [(d.kind, d.subject) for d in await desk.differences()] == [(difference, "th_1")]


async def test_an_invoice_that_only_looks_like_ours_changes_nothing(desk: Desk) -> None:
    await sent(desk)
    [ours] = desk.fake.of("invoice")
    copy = {**ours, "id": "in_copied"}
    desk.fake.state.keep(copy)

    await desk.deliver(desk.fake.state.settle("in_copied", "paid", paid=True))

    assert await desk.statuses() == []
    assert [d.kind for d in await desk.differences()] == ["invoice_unknown"]


async def test_an_outage_of_stripe_delays_what_a_notice_means(desk: Desk) -> None:
    paid = desk.fake.state.settle(await sent(desk), "paid", paid=True)
    desk.fake.outage = True
    await desk.deliver(paid)
    assert await desk.statuses() == []
    desk.fake.outage = False
    desk.bench.now += timedelta(hours=1)
    assert await desk.work()
    assert await desk.statuses() == [PAID]


async def test_signatures_are_of_the_raw_body_and_any_present_secret(desk: Desk) -> None:
    event = desk.fake.state.happen("customer.created", {"object": "customer", "id": "cus_1"})
    body, now = body_of(event), desk.bench.now
    good = signed(body, SECRET, now.timestamp())
    rotating = StripeNotices(["whsec_new", SECRET])

    assert rotating.read(body, good, now).notice_id == event["id"]
    assert rotating.read(body, signed(body, "whsec_new", now.timestamp()), now).kind == event["type"]
    assert rotating.read(body, good, now + timedelta(seconds=300)).object_id == "cus_1"
    for wrong, header, at in (
        (body + b" ", good, now),
        (body, signed(body, "whsec_old", now.timestamp()), now),
        (body, good, now + timedelta(seconds=301)),
        (body, good, now - timedelta(seconds=302)),
        (body, good.replace("v1=", "v0="), now),
        (body, good.partition(",")[2], now),
        (body, "", now),
        (body, "t=x,v1=y", now),
        (body, "t=-1,v1=é", now),
        (body, signed(body, "", now.timestamp()), now),
    ):
        with pytest.raises(Unauthenticated):
            rotating.read(wrong, header, at)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"id": "e", "type": "t", "created": 1e99, "data": {"object": {}}}']
)
def test_what_is_signed_but_no_event_is_told(desk: Desk, body: bytes) -> None:
    header = signed(body, SECRET, desk.bench.now.timestamp())
    with pytest.raises(InvalidInput):
        desk.notices.read(body, header, desk.bench.now)


@pytest.mark.parametrize("secrets", [[], [""], ["whsec_one", ""]])
def test_an_empty_secret_is_refused(secrets: list[str]) -> None:
    with pytest.raises(ValueError, match="anybody could sign"):
        StripeNotices(secrets)
