"""Tells the payment system what the log says: customers, invoices, quantities; each once.

Each step looks up what was done, does what is missing under a key of the event that asks for it, and keeps
the id that came back. A worker that dies in between leaves nothing that the next one does not find.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from application.billing.payment_system import PaymentRefused, PaymentSystem
from application.billing.previews import ledger_at
from application.bus import Caller, Work
from application.ports import Clock, EventLog
from domain.billing.events import InvoiceIssued, SubscriptionSet
from domain.billing.ledger import Ledger
from domain.billing.payment_events import MeterEntry, UsageReportPrepared
from domain.billing.payments import PAYMENTS_ID, Books, PaymentAccount
from domain.kernel.errors import VersionConflict
from domain.kernel.events import Envelope

BOOKS_ID = "books"
KEYS_LAST = timedelta(hours=20)
"""How long the payment system surely remembers keys and identifiers: it promises a day."""

ATTEMPTS = 8
HOUR = timedelta(hours=1)


class Collector:
    """What the jobs of payment do. `key` is the job's effect id: the same for every attempt."""

    def __init__(self, log: EventLog, payments: PaymentSystem, clock: Clock) -> None:
        self._log = log
        self._payments = payments
        self._clock = clock

    async def send_invoice(self, envelope: Envelope[InvoiceIssued], key: str) -> None:
        """Bring an invoice to the payment system if that collects for the tenant. Raises Unavailable."""
        tenant, issued = envelope.tenant, envelope.event
        if collection_of(await ledger_at(self._log, tenant), issued.invoice_id) != "invoice_items":
            return
        account = await self._account(tenant, key)
        if issued.invoice_id in account.sent:
            return
        try:
            customer = await self._customer(tenant, account, key)
            remote = await self._payments.send_invoice(customer, tenant, issued, key)
        except PaymentRefused as error:
            await self.differ(tenant, "invoice_refused", issued.invoice_id, "", error.message, key)
            return
        ours, theirs = _sum(issued.currency, issued.total_minor), _sum(remote.currency, remote.total_minor)
        await self.differ(tenant, "invoice_total", issued.invoice_id, ours, theirs, key)

        def sent(account: PaymentAccount, at: datetime) -> None:
            account.invoice_sent(issued.invoice_id, remote.remote_id, remote.total_minor, at)

        await self._change(tenant, f"{key}.sent", sent)

    async def link_subscription(self, envelope: Envelope[SubscriptionSet], key: str) -> None:
        """Make the tenant a customer, with a subscription where quantities are priced there."""
        tenant, wanted = envelope.tenant, envelope.event.subscription
        if wanted.collection == "none":
            return
        account = await self._account(tenant, key)
        try:
            customer = await self._customer(tenant, account, key)
            if not wanted.remote_prices:
                return
            remote = await self._payments.ensure_subscription(customer, tenant, wanted.remote_prices, key)
        except PaymentRefused as error:
            await self.differ(tenant, "subscription_refused", wanted.plan.label, "", error.message, key)
            return
        await self._change(
            tenant, f"{key}.linked", lambda a, at: a.link_subscription(remote, wanted.remote_prices, at)
        )

    async def report_usage(self, envelope: Envelope[UsageReportPrepared], key: str) -> None:
        """Report quantities; what may be too old for the payment system's memory is looked up first."""
        tenant, report = envelope.tenant, envelope.event
        account = await self._account(tenant, key)
        if report.report_id in account.reported:
            return
        entries = list(report.entries)
        try:
            customer = await self._customer(tenant, account, key)
            if self._clock() - report.prepared_at > KEYS_LAST:
                entries = [e for e in entries if await self._is_missing(account, customer, e)]
            await self._payments.report_usage(customer, entries, report.report_id)
        except PaymentRefused as error:
            await self.differ(tenant, "report_refused", report.report_id, "", error.message, key)
            return
        await self._change(tenant, f"{key}.reported", lambda a, at: a.report_sent(report.report_id, at))

    async def differ(self, tenant: str, kind: str, subject: str, ours: str, theirs: str, key: str) -> None:
        """Record whether the books differ about a subject."""
        for _ in range(ATTEMPTS):
            work = self._work(tenant, f"{key}.{kind}")
            books = await work.load(Books, BOOKS_ID)
            books.compare(kind, subject, ours, theirs, work.at)
            try:
                await work.save(books)
            except VersionConflict:
                continue
            return

    async def _is_missing(self, account: PaymentAccount, customer: str, entry: MeterEntry) -> bool:
        known = sum(
            e.quantity
            for report_id in account.reported
            for e in account.reports[report_id].entries
            if (e.hour, e.meter) == (entry.hour, entry.meter)
        )
        theirs = await self._payments.metered(customer, entry.meter, entry.hour, entry.hour + HOUR)
        return (theirs or 0) == known

    async def _customer(self, tenant: str, account: PaymentAccount, key: str) -> str:
        if account.customer is not None:
            return account.customer
        customer = await self._payments.ensure_customer(tenant, f"aios-customer-{tenant}")
        await self._change(tenant, f"{key}.customer", lambda a, at: a.link_customer(customer, at))
        return customer

    async def _account(self, tenant: str, key: str) -> PaymentAccount:
        return await self._work(tenant, key).load(PaymentAccount, PAYMENTS_ID)

    async def _change(self, tenant: str, command_id: str, change: Any) -> None:
        """Change the account; runs again on a newer state when somebody else was first."""
        for _ in range(ATTEMPTS):
            work = self._work(tenant, command_id)
            account = await work.load(PaymentAccount, PAYMENTS_ID)
            change(account, work.at)
            try:
                await work.save(account)
            except VersionConflict:
                continue
            return

    def _work(self, tenant: str, command_id: str) -> Work:
        caller = Caller(
            tenant=tenant,
            actor="system/billing",
            roles=frozenset(),
            correlation=command_id,
            command_id=command_id,
        )
        return Work(self._log, caller, self._clock())


def collection_of(ledger: Ledger, invoice_id: str) -> str:
    """Return how the invoice's period is collected."""
    closed = ledger.closed.get(invoice_id)
    return closed.terms.subscription.collection if closed else "none"


def _sum(currency: str, minor: int) -> str:
    return f"{currency} {minor}"
