"""A bench with a fake Stripe: jobs are worked off in log order, notices come in through the signed door."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from application.billing.commands import SetSubscription
from application.billing.noticing import receive
from application.processes.billing_books import Reconciliation, UsageReporting
from domain.billing.events import InvoiceIssued
from domain.billing.payment_events import Depth, DifferenceNoticed, PaymentNoticeReceived
from domain.billing.subscription import Collection
from domain.kernel.errors import Unavailable
from domain.workflows import catalogue
from infrastructure.billing.payment_jobs import NAMES, payment_jobs
from infrastructure.billing.stripe import StripePayments
from infrastructure.billing.stripe_signature import StripeNotices
from infrastructure.jobs.job import JobCall, JobRef
from tests.fakes.stripe_server import KEY, FakeStripe
from tests.fakes.stripe_shapes import Values
from tests.fakes.stripe_webhooks import deliver
from tests.infrastructure.billing.bench import JAN, BillingBench

FEB = datetime(2026, 2, 1, 1, tzinfo=UTC)
SECRET = "whsec_of_these_tests"


class Desk:
    """One test's bench, its fake Stripe, and the worker between them."""

    def __init__(self, bench: BillingBench, fake: FakeStripe) -> None:
        self.bench = bench
        self.fake = fake
        self.payments = StripePayments(KEY, bench.clock, fake.url)
        self.notices = StripeNotices([SECRET])
        self._jobs = {job.name: job for job in payment_jobs(bench.store.log, self.payments, bench.clock)}
        self._cursor = 0
        fake.state.now = self._now

    def _now(self) -> float:
        return self.bench.now.timestamp()

    async def work(self, *, again: bool = False) -> bool:
        """Do the jobs that the log asks for, as a worker does; False when one must be tried again later.

        With `again` all of them are done once more, as after a lost inbox.
        """
        after = 0 if again else self._cursor
        async for envelope in self.bench.store.log.read(after=after, types=tuple(NAMES)):
            ref = JobRef(NAMES[envelope.type], envelope.position)
            try:
                await self._jobs[ref.job].handler(JobCall(ref=ref, envelope=envelope, last_attempt=False))
            except Unavailable:
                return False
            self._cursor = max(self._cursor, envelope.position)
        return True

    async def invoiced(self, collection: Collection = "invoice_items", **usage: Any) -> InvoiceIssued:
        """Subscribe, use something in January and close it; the last invoice is returned."""
        await self.bench.do(SetSubscription(plan_id="at-cost", collection=collection))
        await self.bench.used(JAN, **{"cost_micros": 12_340_000, **usage})
        await self.bench.close(FEB)
        return (await self.bench.invoices())[-1]

    async def post(self, body: bytes, signature: str) -> bool:
        """Let a webhook in, as the route does; tells whether it was new."""
        notice = self.notices.read(body, signature, self.bench.now)
        return await receive(self.bench.store.log, notice, "webhook")

    async def deliver(self, *events: Values) -> list[bool]:
        """Deliver signed webhooks and do what they ask for."""
        found = await deliver(events, self.post, SECRET, self.bench.now.timestamp())
        await self.work()
        return found

    async def reconcile(self, depth: Depth) -> Mapping[str, int]:
        """Run a reconciliation and do what it asks for."""
        await self.bench.caught_up()
        log, book, clock = self.bench.store.log, self.bench.book, self.bench.clock
        handler = Reconciliation(log, book, self.payments, self.bench.tenants, clock, depth)
        counts = await handler(self.bench.run(catalogue.BILLING_RECONCILIATION_HOURLY))
        await self.work()
        return counts

    async def report(self) -> Mapping[str, int]:
        """Prepare usage reports."""
        await self.bench.caught_up()
        bench = self.bench
        handler = UsageReporting(bench.store.log, bench.book, bench.tenants, bench.clock)
        return await handler(bench.run(catalogue.BILLING_USAGE_REPORT))

    async def statuses(self) -> list[str]:
        """Return what became of the invoices, from the log."""
        types = ("billing.invoice_paid", "billing.invoice_payment_failed", "billing.invoice_abandoned")
        return [e.type async for e in self.bench.store.log.read(types=types)]

    async def differences(self) -> list[DifferenceNoticed]:
        """Return every difference that was ever recorded."""
        return [e.event async for e in self.bench.store.log.read(types=[DifferenceNoticed.TYPE])]

    async def stored(self) -> list[PaymentNoticeReceived]:
        """Return the notices in the log."""
        return [e.event async for e in self.bench.store.log.read(types=[PaymentNoticeReceived.TYPE])]


@asynccontextmanager
async def open_desk(bench: BillingBench, fake: FakeStripe) -> AsyncIterator[Desk]:
    """Open a desk; its connections end with the block."""
    desk = Desk(bench, fake)
    try:
        yield desk
    finally:
        await desk.payments.close()
