"""Periods close into invoices that the log alone gives again to the same cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from application.billing.commands import ChargeInput, GrantCredit, PublishPlan, SetSubscription, TierInput
from application.billing.previews import ledger_at, usage_for
from domain.billing.drafting import draft
from domain.billing.events import CreditConsumed
from domain.billing.invoice import Draft
from domain.billing.metering import BLOCK_BITS
from domain.kernel.request_record import RequestRecorded, TokenCounts
from domain.workflows.catalogue import BILLING_PERIOD_CLOSE
from tests.infrastructure.billing.bench import JAN, BillingBench
from tests.projections.usage_world import request

FEB = datetime(2026, 2, 1, tzinfo=UTC)
MAR = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLAN = PublishPlan(
    plan_id="pro",
    name="Pro",
    currency="EUR",
    base_fee=Decimal("9.90"),
    minimum=Decimal(30),
    included_tokens=100_000,
    usd_rate=Decimal("0.92"),
    charges=(
        ChargeInput(
            charge_id="gpt",
            name="GPT",
            models=("openai/*",),
            token_classes=("input", "cached_input"),
            pricing="graduated",
            tiers=(
                TierInput(up_to=2_000_000, price_per_mtok=Decimal("3.33")),
                TierInput(price_per_mtok=Decimal("2.22")),
            ),
        ),
        ChargeInput(
            charge_id="acme",
            name="Acme",
            models=("acme/*",),
            pricing="cost_plus",
            markup_percent=Decimal("12.5"),
        ),
        ChargeInput(charge_id="rest", name="Everything else", price_per_mtok=Decimal("7.77")),
    ),
)
MODELS = (("openai", "gpt-5"), ("openai", "gpt-5-mini"), ("acme", "large"), ("local", "tiny"))


def requests_of(count: int, random: Random, start: datetime, days: int) -> list[RequestRecorded]:
    """Return requests that began in any order in a span of days."""
    found = []
    for _ in range(count):
        provider, model = random.choice(MODELS)
        tokens = random.randrange(3_000)
        usage = TokenCounts(
            input=tokens, cached_input=random.randrange(tokens + 1) // 2, output=random.randrange(900)
        )
        found.append(
            request(
                started_at=start + timedelta(seconds=random.randrange(days * 86_400)),
                provider=provider,
                model=model,
                usage=usage,
                cost_micros=random.randrange(20_000),
                operation=random.choice(["chat", "chat", "embeddings", "count_tokens"]),
            )
        )
    return found


async def test_a_month_is_closed_once_an_hour_after_its_end(bench: BillingBench) -> None:
    # given
    await bench.do(PLAN)
    await bench.do(SetSubscription(plan_id="pro"))
    await bench.used(JAN, provider="local", model="tiny", usage=TokenCounts(input=10_100_000))
    # when
    early = await bench.close(FEB + HOUR - timedelta(seconds=1))
    first = await bench.close(FEB + HOUR)
    second = await bench.close(FEB + 2 * HOUR)
    # then
    assert [counts["closed"] for counts in (early, first, second)] == [0, 1, 0]
    [issued] = await bench.invoices()
    assert (issued.currency, issued.total_minor) == ("EUR", 990 + 7_770)
    assert issued.issued_at == FEB + HOUR


async def test_months_of_downtime_are_made_good_one_by_one_and_credits_are_used_up(
    bench: BillingBench,
) -> None:
    await bench.do(SetSubscription(plan_id="at-cost"))
    await bench.do(GrantCredit(amount=Decimal("1.50"), currency="USD"))
    for month in (JAN, FEB, MAR):
        await bench.used(month, cost_micros=1_000_000)

    counts = await bench.close(MAR + timedelta(days=35))

    invoices = await bench.invoices()
    assert counts == {"accounts": 1, "closed": 3, "failed": 0}
    assert [i.number for i in invoices] == ["INV-000001", "INV-000002", "INV-000003"]
    assert [(i.credits_minor, i.total_minor) for i in invoices] == [(100, 0), (50, 50), (0, 100)]
    used = [e.event async for e in bench.store.log.read(types=[CreditConsumed.TYPE])]
    assert [(u.amount_minor, u.remaining_minor) for u in used] == [(100, 50), (50, 0)]


async def test_a_run_that_a_tenant_asks_for_closes_its_own_account_alone(bench: BillingBench) -> None:
    for tenant in ("t1", "t2"):
        await bench.do(SetSubscription(plan_id="at-cost"), tenant)
    bench.now = FEB + HOUR
    await bench.caught_up()
    await bench.close_periods(bench.run(BILLING_PERIOD_CLOSE, "t2"))
    assert [len(await bench.invoices(tenant)) for tenant in ("t1", "t2")] == [0, 1]


async def test_the_log_alone_gives_every_invoice_and_preview_again_to_the_same_cent(
    bench: BillingBench,
) -> None:
    # given three months over several blocks of the log, with usage that comes late, of two tenants
    random = Random(7)
    await bench.do(PLAN)
    for tenant, zone in (("t1", "Asia/Kathmandu"), ("t2", "America/Santiago")):
        await bench.do(SetSubscription(plan_id="pro", time_zone=zone, anchor_day=3), tenant)
        await bench.do(GrantCredit(amount=Decimal(5), currency="EUR"), tenant)
    seen: list[tuple[str, datetime, int]] = []
    for month, end in ((JAN, FEB), (FEB, MAR), (MAR, MAR + timedelta(days=31))):
        for tenant in ("t1", "t2"):
            await bench.use(*requests_of(1_300, random, month - timedelta(days=3), 33), tenant=tenant)
            bench.now = end
            seen.append((tenant, end, await bench.caught_up()))
        await bench.close(end + timedelta(days=4))
    head = await bench.caught_up()
    assert head >> BLOCK_BITS >= 1
    # then every invoice is what its events say
    for tenant in ("t1", "t2"):
        issued = await bench.invoices(tenant)
        assert len(issued) == 4  # the first is of two days
        assert any(line.kind == "adjustment" for invoice in issued for line in invoice.lines)
        for invoice in issued:
            again = await bench.derived(tenant, invoice.period_start, invoice.as_of_position)
            assert (again.lines, again.total_minor) == (invoice.lines, invoice.total_minor)
    # and usage as of any position is what the events up to it say
    for tenant, at, position in seen:
        assert (await drafted(bench, tenant, at, position)) == await bench.derived(tenant, at, position)
    for position in random.sample(range(1, head), 12):
        last = (await ledger_at(bench.store.log, "t1", position)).last_closed
        at = last.period.end if last else random.choice([JAN, FEB, MAR])
        assert (await drafted(bench, "t1", at, position)) == await bench.derived("t1", at, position)


async def drafted(bench: BillingBench, tenant: str, at: datetime, upto: int) -> Draft:
    """Draft the invoice of the period that holds a time from the read model."""
    ledger = await ledger_at(bench.store.log, tenant, upto)
    billed = ledger.period_at(at)
    return draft(ledger, billed, await usage_for(bench.book, tenant, ledger, billed, upto))
