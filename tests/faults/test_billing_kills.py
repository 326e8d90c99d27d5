"""Workers are killed in the middle of sending an invoice, at every step of it: Stripe has it once, whole."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import pytest

from application.billing.commands import ChargeInput, PublishPlan, SetSubscription
from domain.billing.events import InvoiceIssued
from domain.billing.payment_events import InvoiceSent
from domain.kernel.request_record import TokenCounts
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from tests.fakes.stripe_server import FakeStripe, running_stripe
from tests.infrastructure.billing.bench import JAN, BillingBench, open_bench
from tests.infrastructure.billing.desk import FEB
from tests.waiting import until

PLAN = PublishPlan(
    plan_id="pro",
    name="Pro",
    currency="USD",
    base_fee=Decimal(20),
    charges=(ChargeInput(charge_id="all", name="Tokens", price_per_mtok=Decimal(5)),),
)
STEPS = (1, 3, 5)
"""Customer, the first of two lines, finalization."""


@pytest.fixture
async def bench(database: PostgresEndpoint, tmp_path: Path) -> AsyncIterator[BillingBench]:
    async with open_bench(database, tmp_path / "keys") as opened:
        yield opened


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with running_stripe() as running:
        yield running


async def issued(bench: BillingBench) -> tuple[InvoiceIssued, int]:
    """Issue an invoice of two lines; returns it and its position."""
    await bench.do(PLAN)
    await bench.do(SetSubscription(plan_id="pro", collection="invoice_items"))
    await bench.used(JAN, usage=TokenCounts(input=3_000_000))
    await bench.close(FEB)
    [envelope] = [e async for e in bench.store.log.read(types=[InvoiceIssued.TYPE])]
    return envelope.event, envelope.position


@pytest.mark.slow
async def test_a_worker_killed_at_any_step_bills_once(
    bench: BillingBench, fake: FakeStripe, database: PostgresEndpoint, tmp_path: Path
) -> None:
    # given
    invoice, position = await issued(bench)
    keys = str(tmp_path / "keys")
    asked = {"endpoint": asdict(database), "keys": keys, "url": fake.url, "position": position}
    fake.delay_s = 0.5
    # when each worker is killed once Stripe has done some more, while the answer is on its way
    for step in STEPS:
        worker = await start(asked)
        await until(reached(fake, step, worker), f"Stripe does step {step}", 180.0)
        assert worker.returncode is None
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
        if step % 2:
            fake.forget_keys()
    last = await start(asked)
    assert await last.wait() == 0
    # then
    [customer] = fake.of("customer")
    [remote] = fake.of("invoice")
    assert [line["amount"] for line in remote["lines"]["data"]] == [2_000, 1_500]
    assert (remote["customer"], remote["status"], remote["total"]) == (
        customer["id"],
        "open",
        invoice.total_minor,
    )
    sent = [e.event async for e in bench.store.log.read(types=[InvoiceSent.TYPE])]
    assert [event.remote_id for event in sent] == [remote["id"]]


def done(fake: FakeStripe) -> int:
    """Return how many steps Stripe has done."""
    invoices = fake.of("invoice")
    finalized = sum(invoice["status"] != "draft" for invoice in invoices)
    return len(fake.of("customer")) + len(invoices) + len(fake.of("invoiceitem")) + finalized


def reached(fake: FakeStripe, step: int, worker: asyncio.subprocess.Process) -> Callable[[], Awaitable[bool]]:
    async def there() -> bool:
        return done(fake) >= step or worker.returncode is not None

    return there


async def start(asked: dict[str, object]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.billing_worker_process", json.dumps(asked)
    )
