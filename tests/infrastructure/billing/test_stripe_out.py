"""What goes to Stripe: once, whatever is repeated, lost, refused for a while or away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from application.billing.commands import SetSubscription
from domain.billing.payment_events import InvoiceSent
from domain.kernel.request_record import TokenCounts
from tests.infrastructure.billing.bench import JAN
from tests.infrastructure.billing.desk import FEB, Desk


def only_invoice(desk: Desk, total: int) -> None:
    """Assert that Stripe has one customer and one finalized invoice with one line."""
    [customer] = desk.fake.of("customer")
    [invoice] = desk.fake.of("invoice")
    assert customer["metadata"] == {"aios_tenant": "t1"}
    assert (invoice["customer"], invoice["status"], invoice["total"]) == (customer["id"], "open", total)
    assert [line["amount"] for line in invoice["lines"]["data"]] == [total]


async def test_an_invoice_arrives_with_its_lines_and_is_collected(desk: Desk) -> None:
    issued = await desk.invoiced()

    assert await desk.work()

    only_invoice(desk, 1_234)
    [invoice] = desk.fake.of("invoice")
    assert invoice["auto_advance"] is True
    assert invoice["metadata"]["aios_invoice_id"] == issued.invoice_id
    [sent] = [e.event async for e in desk.bench.store.log.read(types=[InvoiceSent.TYPE])]
    assert (sent.remote_id, sent.total_minor) == (invoice["id"], issued.total_minor)


async def test_keys_are_those_of_the_events_and_repeats_change_nothing(desk: Desk) -> None:
    await desk.invoiced()
    await desk.work()
    keys = {seen.idempotency_key for seen in desk.fake.seen if seen.method == "POST"}
    assert None not in keys

    assert await desk.work(again=True)

    only_invoice(desk, 1_234)


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/invoices", "/v1/invoiceitems", "/finalize"])
@pytest.mark.parametrize("forgotten", [False, True], ids=["keys kept", "keys forgotten"])
async def test_a_lost_answer_is_found_again(desk: Desk, path: str, *, forgotten: bool) -> None:
    await desk.invoiced()
    desk.fake.lose(path)
    assert not await desk.work()
    if forgotten:
        desk.fake.forget_keys()

    assert await desk.work()

    only_invoice(desk, 1_234)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_passing_failures_are_tried_again_without_a_second_effect(desk: Desk, status: int) -> None:
    await desk.invoiced()
    tries = 0
    while desk.fake.of("invoice") == [] or desk.fake.of("invoice")[0]["status"] == "draft":
        desk.fake.fail(status)
        assert not await desk.work()
        await desk.work()
        tries += 1
        assert tries < 10
    only_invoice(desk, 1_234)


async def test_an_hour_without_stripe_bills_once_when_it_is_back(desk: Desk) -> None:
    await desk.invoiced()
    desk.fake.outage = True
    for _ in range(12):
        desk.bench.now += timedelta(minutes=5)
        assert not await desk.work()
    desk.fake.outage = False

    assert await desk.work()

    only_invoice(desk, 1_234)


async def test_a_request_that_is_still_worked_on_is_tried_later(desk: Desk) -> None:
    await desk.invoiced()
    params = {"name": "t1", "metadata": {"aios_tenant": "t1"}}
    desk.fake.hold_key("aios-customer-t1", "POST", "/v1/customers", params)
    assert not await desk.work()
    desk.fake.forget_keys()
    assert await desk.work()
    only_invoice(desk, 1_234)


async def test_tenants_that_keep_their_invoices_are_unknown_to_stripe(desk: Desk) -> None:
    await desk.invoiced("none")
    assert await desk.work()
    assert desk.fake.seen == []


async def test_a_refusal_becomes_a_difference_and_stops_nothing_else(desk: Desk) -> None:
    await desk.invoiced()
    desk.fake.fail(402, times=1)
    assert await desk.work()
    kinds = [found.kind for found in await desk.differences()]
    assert kinds in (["invoice_refused"], ["subscription_refused"])


async def test_a_draft_whose_total_differs_is_not_collected(desk: Desk) -> None:
    await desk.invoiced()
    desk.fake.lose("/v1/invoiceitems")
    assert not await desk.work()
    [draft] = desk.fake.of("invoice")
    draft["total"] += 1

    assert await desk.work()

    assert draft["status"] == "draft"
    [found] = await desk.differences()
    assert (found.kind, found.ours, found.theirs) == ("invoice_total", "USD 1234", "USD 1235")


async def test_quantities_are_reported_once_an_hour_without_gap_or_overlap(desk: Desk) -> None:
    # given
    desk.fake.add_meters("aios_input", "aios_cached_input", "aios_output", "aios_cost_micros")
    bench, usage = desk.bench, TokenCounts(input=100, cached_input=40, output=7)
    await bench.do(
        SetSubscription(plan_id="at-cost", collection="meter_events", remote_prices=("price_1", "price_2"))
    )
    await bench.used(JAN, usage=usage)
    await bench.used(JAN + timedelta(minutes=59), usage=usage)
    await bench.used(JAN + timedelta(minutes=60), usage=usage, cost_micros=0)
    # when
    assert await desk.report() == {"reports": 1}
    assert await desk.report() == {"reports": 0}
    desk.fake.lose("meter_events")
    assert not await desk.work()
    assert await desk.work()
    await bench.used(JAN + timedelta(minutes=5), usage=usage)
    assert await desk.report() == {"reports": 1}
    assert await desk.work(again=True)
    # then
    [subscription] = desk.fake.of("subscription")
    assert [item["price"] for item in subscription["items"]["data"]] == ["price_1", "price_2"]
    sums: dict[str, int] = {}
    for event in desk.fake.state.meter_events:
        sums[event["event_name"]] = sums.get(event["event_name"], 0) + int(event["payload"]["value"])
    assert sums == {"aios_input": 240, "aios_cached_input": 160, "aios_output": 28, "aios_cost_micros": 90}
    customer = subscription["customer"]
    assert await desk.payments.metered(customer, "input", JAN, JAN + timedelta(hours=1)) == 180


async def test_an_old_report_is_looked_up_before_it_is_sent_again(desk: Desk) -> None:
    desk.fake.add_meters("aios_input", "aios_output", "aios_cost_micros")
    await desk.bench.do(SetSubscription(plan_id="at-cost", collection="meter_events"))
    await desk.bench.used(JAN)
    await desk.report()
    desk.fake.lose("meter_events")
    assert not await desk.work()
    arrived = len(desk.fake.state.meter_events)
    for event in desk.fake.state.meter_events:  # what Stripe does with identifiers after a day
        event["identifier"] = "forgotten"
    desk.fake.forget_keys()
    desk.bench.now += timedelta(hours=30)

    assert await desk.work()

    assert arrived == 1
    names = [event["event_name"] for event in desk.fake.state.meter_events]
    assert sorted(names) == ["aios_cost_micros", "aios_input", "aios_output"]


async def test_amounts_are_in_stripes_units(desk: Desk) -> None:
    await desk.invoiced(cost_micros=0)
    await desk.bench.close(FEB + timedelta(days=28))
    assert await desk.work()
    assert [invoice["total"] for invoice in desk.fake.of("invoice")] == [0, 0]
    assert {invoice["status"] for invoice in desk.fake.of("invoice")} == {"paid"}
