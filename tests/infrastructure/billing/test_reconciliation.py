"""Reconciliation: what differs is found and told, never mended; what agrees again is told too."""

from __future__ import annotations

from datetime import timedelta

from application.billing.commands import SetSubscription
from application.processes.billing_books import Reconciliation
from domain.billing.payment_events import DifferenceCleared
from domain.workflows import catalogue
from tests.infrastructure.billing.bench import JAN
from tests.infrastructure.billing.desk import Desk

HOUR = timedelta(hours=1)


async def sent(desk: Desk) -> str:
    """Bring an invoice to Stripe; returns its id there."""
    await desk.invoiced()
    assert await desk.work()
    [invoice] = desk.fake.of("invoice")
    return str(invoice["id"])


async def found(desk: Desk) -> list[tuple[str, str, str]]:
    return [(d.kind, d.ours, d.theirs) for d in await desk.differences()]


async def test_books_that_agree_have_no_differences(desk: Desk) -> None:
    await sent(desk)
    for depth in ("hourly", "nightly"):
        counts = await desk.reconcile(depth)
        assert counts["checked"] >= 1
        assert counts["differences"] == 0
    assert await found(desk) == []


async def test_notices_that_never_arrived_are_fetched_once(desk: Desk) -> None:
    remote = await sent(desk)
    await desk.reconcile("hourly")
    desk.bench.now += HOUR
    desk.fake.state.settle(remote, "paid", paid=True)

    first = await desk.reconcile("hourly")
    desk.bench.now += HOUR
    second = await desk.reconcile("hourly")

    assert (first["missed_notices"], second["missed_notices"]) == (1, 0)
    assert await desk.statuses() == ["billing.invoice_paid"]
    assert {notice.source for notice in await desk.stored()} == {"poll"}


async def test_a_changed_total_is_found_once_and_told_when_it_agrees_again(desk: Desk) -> None:
    await sent(desk)
    [invoice] = desk.fake.of("invoice")
    invoice["total"] += 500

    first = await desk.reconcile("nightly")
    second = await desk.reconcile("nightly")
    invoice["total"] -= 500
    third = await desk.reconcile("nightly")

    assert [counts["differences"] for counts in (first, second, third)] == [1, 1, 0]
    assert await found(desk) == [("invoice_total", "USD 1234", "USD 1734")]
    cleared = [e.event.kind async for e in desk.bench.store.log.read(types=[DifferenceCleared.TYPE])]
    assert cleared == ["invoice_total"]
    assert len(desk.fake.of("invoice")) == 1


async def test_a_state_that_nobody_told_us_is_found_and_left_alone(desk: Desk) -> None:
    remote = await sent(desk)
    desk.fake.state.settle(remote, "paid", paid=True)
    desk.fake.state.events.clear()

    await desk.reconcile("nightly")

    assert ("invoice_status", "open", "paid") in await found(desk)
    assert await desk.statuses() == []


async def test_an_invoice_that_is_gone_or_was_never_sent_is_missing(desk: Desk) -> None:
    remote = await sent(desk)
    del desk.fake.state.objects[remote]
    await desk.reconcile("nightly")
    assert await found(desk) == [("invoice_missing", "sent", "gone")]


async def test_an_invoice_that_waits_for_more_than_an_hour_is_missing_until_it_is_sent(desk: Desk) -> None:
    await desk.invoiced()
    log, bench = desk.bench.store.log, desk.bench
    handler = Reconciliation(log, bench.book, desk.payments, bench.tenants, bench.clock, "hourly")
    run = bench.run(catalogue.BILLING_RECONCILIATION_HOURLY)
    early = await handler(run)
    bench.now += HOUR * 1.1
    late = await handler(bench.run(catalogue.BILLING_RECONCILIATION_HOURLY))
    assert await desk.work()
    after = await handler(bench.run(catalogue.BILLING_RECONCILIATION_HOURLY))

    assert [counts["differences"] for counts in (early, late, after)] == [0, 1, 0]
    assert await found(desk) == [("invoice_missing", "sent", "not sent")]


async def test_an_invoice_under_our_name_that_nobody_sent_is_found(desk: Desk) -> None:
    await sent(desk)
    [ours] = desk.fake.of("invoice")
    desk.fake.state.keep({**ours, "id": "in_copied"})
    await desk.reconcile("nightly")
    assert await found(desk) == [("invoice_unknown", "", "open")]


async def test_quantities_that_a_meter_does_not_have_are_found(desk: Desk) -> None:
    desk.fake.add_meters("aios_input", "aios_output", "aios_cost_micros")
    await desk.bench.do(SetSubscription(plan_id="at-cost", collection="meter_events"))
    await desk.bench.used(JAN)
    await desk.report()
    assert await desk.work()
    desk.bench.now += timedelta(days=2)
    agreed = await desk.reconcile("nightly")
    desk.fake.state.meter_events.pop(0)

    await desk.reconcile("nightly")

    assert agreed["differences"] == 0
    assert [kind for kind, _, _ in await found(desk)] == ["meter"]


async def test_without_stripe_invoices_are_still_compared_with_the_log(desk: Desk) -> None:
    await desk.invoiced("none")
    bench = desk.bench
    handler = Reconciliation(bench.store.log, bench.book, None, bench.tenants, bench.clock, "nightly")
    counts = await handler(bench.run(catalogue.BILLING_RECONCILIATION_NIGHTLY))
    assert counts == {"checked": 1, "differences": 0, "missed_notices": 0}


async def test_counted_usage_that_was_tampered_with_is_found(desk: Desk) -> None:
    await desk.invoiced("none")
    bench = desk.bench
    async with bench.owner.begin() as conn:
        tables = await conn.exec_driver_sql(
            "SELECT relname FROM pg_class WHERE relname ~ '^billing_cells_v[0-9]+_g[0-9]+$'"
        )
        table = tables.scalar_one()
        await conn.exec_driver_sql(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        await conn.exec_driver_sql(
            f"INSERT INTO {table} (tenant, block, quarter, model, cost_micros) "
            "VALUES ('t1', -1, '2026-01-02', 'openai/gpt-5', 1000000)"
        )
    await desk.reconcile("nightly")
    assert await found(desk) == [("rederivation", "USD 1234 in 1 lines", "USD 1334 in 1 lines")]
