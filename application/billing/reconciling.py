"""Compares our books with the payment system's and with the log: what both sides say, subject by subject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from application.billing.collecting import collection_of
from application.billing.payment_system import PaymentRecords, RemoteInvoice
from application.billing.ports import UsageBook
from application.billing.previews import ledger_at, usage_for
from application.ports import EventLog
from domain.billing.drafting import draft
from domain.billing.events import InvoiceIssued
from domain.billing.ledger import Closed, Ledger
from domain.billing.payments import PAYMENTS_ID, PaymentAccount
from domain.kernel.aggregate import stream_id

PATIENCE = timedelta(hours=1)
"""How long an invoice may be on its way before it counts as missing."""

LOOK_BACK = timedelta(days=35)
"""How far back the nightly comparison looks; the payment system's meters reach as far."""

DAY = timedelta(days=1)
FINAL = {"paid": "paid", "void": "void", "uncollectible": "uncollectible"}


class Finding(NamedTuple):
    """What both sides say of a subject; they differ when the texts do."""

    kind: str
    subject: str
    ours: str
    theirs: str


class Comparison:
    """Compares one tenant's books."""

    def __init__(self, log: EventLog, book: UsageBook, payments: PaymentRecords | None) -> None:
        self._log = log
        self._book = book
        self._payments = payments

    async def missing(self, tenant: str, now: datetime) -> list[Finding]:
        """Compare which invoices were issued for collection and which ones were sent."""
        if self._payments is None:
            return []
        ledger, account = await self._books(tenant)
        issued_at = {e.invoice_id: e.issued_at for e in await self._issued(tenant)}
        return [
            Finding(
                "invoice_missing", invoice_id, "sent", "sent" if invoice_id in account.sent else "not sent"
            )
            for invoice_id, at in issued_at.items()
            if collection_of(ledger, invoice_id) == "invoice_items"
            and (invoice_id in account.sent or now - at > PATIENCE)
        ]

    async def everything(self, tenant: str, now: datetime) -> list[Finding]:
        """Compare invoices with the log and the payment system's, and reported quantities with its meters."""
        found = await self._against_the_log(tenant, now)
        if self._payments is None:
            return found
        ledger, account = await self._books(tenant)
        found += await self.missing(tenant, now)
        if account.customer is not None:
            remote = {i.remote_id: i for i in await self._payments.invoices_of(account.customer)}
            found += _invoices(ledger, account, remote)
            found += await self._meters(account, now)
        return found

    async def _against_the_log(self, tenant: str, now: datetime) -> list[Finding]:
        """Draft the latest invoices again from what is counted: they must come out as they were issued."""
        found = []
        for issued in await self._issued(tenant):
            if now - issued.issued_at > LOOK_BACK:
                continue
            ledger = await ledger_at(self._log, tenant, issued.as_of_position)
            billed = ledger.period_at(issued.period_start)
            usage = await usage_for(self._book, tenant, ledger, billed, issued.as_of_position)
            again = draft(ledger, billed, usage)
            theirs = _told(issued.currency, again.total_minor, len(again.lines))
            ours = _told(issued.currency, issued.total_minor, len(issued.lines))
            found.append(Finding("rederivation", issued.invoice_id, ours, theirs))
        return found

    async def _meters(self, account: PaymentAccount, now: datetime) -> list[Finding]:
        if self._payments is None or account.customer is None:
            return []
        sums: Counter[tuple[datetime, str]] = Counter()
        for report_id in account.reported:
            for entry in account.reports[report_id].entries:
                sums[entry.hour.replace(hour=0), entry.meter] += entry.quantity
        found = []
        for (day, meter), quantity in sorted(sums.items()):
            if now - day < LOOK_BACK and now - day > DAY:
                theirs = await self._payments.metered(account.customer, meter, day, day + DAY)
                subject = f"{meter} {day.date().isoformat()}"
                found.append(Finding("meter", subject, str(quantity), str(theirs or 0)))
        return found

    async def _books(self, tenant: str) -> tuple[Ledger, PaymentAccount]:
        name = stream_id(tenant, PaymentAccount.KIND, PAYMENTS_ID)
        return await ledger_at(self._log, tenant), await self._log.load(PaymentAccount, name)

    async def _issued(self, tenant: str) -> list[InvoiceIssued]:
        return [e.event async for e in self._log.read(types=[InvoiceIssued.TYPE], tenant=tenant)]


def _invoices(ledger: Ledger, account: PaymentAccount, remote: dict[str, RemoteInvoice]) -> Iterator[Finding]:
    """Compare totals and states of what was sent, and look for what nobody sent."""
    known = {sent.remote_id for sent in account.sent.values()}
    for invoice_id, sent in account.sent.items():
        closed, theirs = ledger.closed.get(invoice_id), remote.get(sent.remote_id)
        if closed is not None:
            yield from _invoice(closed, theirs, _billed(ledger, invoice_id))
    for remote_id, invoice in remote.items():
        if invoice.invoice_id is not None and remote_id not in known:
            yield Finding("invoice_unknown", remote_id, "", invoice.status)


def _invoice(closed: Closed, theirs: RemoteInvoice | None, ours: str) -> Iterator[Finding]:
    if theirs is None:
        yield Finding("invoice_missing", closed.invoice_id, "sent", "gone")
        return
    yield Finding("invoice_total", closed.invoice_id, ours, f"{theirs.currency} {theirs.total_minor}")
    final = FINAL.get(theirs.status, "open")
    yield Finding("invoice_status", closed.invoice_id, FINAL.get(closed.status, "open"), final)


def _billed(ledger: Ledger, invoice_id: str) -> str:
    return f"{ledger.currency} {ledger.closed[invoice_id].total_minor}"


def _told(currency: str, minor: int, lines: int) -> str:
    return f"{currency} {minor} in {lines} lines"
