"""Corrected usage is billed: in its own period while that is open, as an adjustment of its invoice after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from application.billing.commands import SetSubscription
from domain.kernel.aggregate import stream_id
from domain.usage.correction import Change, Correction, Recorded
from tests.infrastructure.billing.bench import JAN, BillingBench
from tests.projections.usage_world import request

FEB = datetime(2026, 2, 1, tzinfo=UTC)
MAR = datetime(2026, 3, 1, tzinfo=UTC)
LATER = timedelta(hours=2)


async def test_a_correction_counts_in_its_open_period_and_adjusts_a_closed_one(bench: BillingBench) -> None:
    await bench.do(SetSubscription(plan_id="at-cost"))
    record = request(started_at=JAN + LATER, cost_micros=1_000_000)
    correction = Correction.blank(stream_id("t1", Correction.KIND, record.request_id), JAN)
    await bench.use(record)

    async def correct(cost_micros: int, at: datetime) -> None:
        await bench.append(
            correction.correct(Recorded(1, record), Change(cost_micros=cost_micros), "invoice", at)
        )

    await correct(400_000, JAN + LATER)  # while January is open
    await bench.close(FEB + LATER)
    await correct(900_000, FEB + LATER)  # when it is closed
    await bench.close(MAR + LATER)
    await correct(700_000, MAR + LATER)
    await bench.close(MAR + timedelta(days=31) + LATER)

    issued = await bench.invoices()
    assert [invoice.subtotal_minor for invoice in issued] == [40, 50, 0]  # what is negative is carried over
    adjusted = [[(line.amount_minor, line.adjusts) for line in i.lines if line.adjusts] for i in issued]
    assert adjusted == [[], [(50, issued[0].invoice_id)], [(-20, issued[0].invoice_id)]]
    for invoice in issued:
        again = await bench.derived("t1", invoice.period_start, invoice.as_of_position)
        assert (again.lines, again.total_minor) == (invoice.lines, invoice.total_minor)
