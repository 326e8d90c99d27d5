"""Works on the payment system's notices: asks for the object as it is now, and records what that means."""

from __future__ import annotations

from application.billing.collecting import Collector
from application.billing.payment_system import Notice, PaymentRecords, RemoteInvoice
from application.bus import Caller, Work
from application.ports import AppendRequest, Clock, EventLog, NewEvent
from domain.billing.account import ACCOUNT_ID, BillingAccount
from domain.billing.events import InvoiceAbandoned, InvoicePaid, InvoicePaymentFailed, Payment
from domain.billing.payment_events import PaymentNoticeReceived, Source
from domain.billing.payments import PAYMENTS_ID, PaymentAccount
from domain.kernel.aggregate import stream_id
from domain.kernel.errors import Unavailable, VersionConflict
from domain.kernel.events import Envelope
from domain.kernel.names import DEFAULT_TENANT

ATTEMPTS = 8
TROUBLES = {
    "charge.dispute.created": "dispute",
    "v1.billing.meter.error_report_triggered": "meter_error",
    "customer.subscription.deleted": "subscription_ended",
}


async def receive(log: EventLog, notice: Notice, source: Source) -> bool:
    """Store a notice, once; returns whether it is new. Raises Unavailable."""
    event = PaymentNoticeReceived(
        notice_id=notice.notice_id,
        kind=notice.kind,
        object_type=notice.object_type,
        object_id=notice.object_id,
        happened_at=notice.happened_at,
        source=source,
    )
    stored = await log.append(
        AppendRequest(
            tenant=DEFAULT_TENANT,
            command_id=f"payment-notice/{notice.notice_id}",
            events=(NewEvent(stream_id(DEFAULT_TENANT, "payment-notice", notice.notice_id), event),),
            correlation=notice.notice_id,
            actor="system/payments",
        )
    )
    return not stored.duplicate


class Noticer:
    """What the job of a notice does. The order of notices means nothing: each asks for the present state."""

    def __init__(self, log: EventLog, payments: PaymentRecords, collector: Collector, clock: Clock) -> None:
        self._log = log
        self._payments = payments
        self._collector = collector
        self._clock = clock

    async def work_on(self, envelope: Envelope[PaymentNoticeReceived], key: str) -> None:
        """Record what a notice means; kinds that mean nothing here stay as they were stored."""
        notice = envelope.event
        if notice.object_type == "invoice":
            remote = await self._payments.invoice(notice.object_id)
            if remote is not None and remote.tenant and remote.invoice_id:
                await self._note_payment(remote.tenant, remote, key)
        elif notice.kind in TROUBLES:
            subject, kind = notice.object_id or notice.notice_id, TROUBLES[notice.kind]
            await self._collector.differ(DEFAULT_TENANT, kind, subject, "", notice.kind, key)

    async def _note_payment(self, tenant: str, remote: RemoteInvoice, key: str) -> None:
        if not await self._is_the_one_we_sent(tenant, remote):
            kind, subject = "invoice_unknown", remote.remote_id
            await self._collector.differ(tenant, kind, subject, "", remote.status, key)
            return
        for _ in range(ATTEMPTS):
            caller = Caller(
                tenant=tenant,
                actor="system/payments",
                roles=frozenset(),
                correlation=key,
                command_id=f"{key}.payment",
            )
            work = Work(self._log, caller, self._clock())
            account = await work.load(BillingAccount, ACCOUNT_ID)
            event = payment_of(remote, work)
            if event is None or not account.note_payment(event, work.at):
                return
            try:
                await work.save(account)
            except VersionConflict:
                continue
            return
        raise Unavailable("billing", f"the account of tenant {tenant} changes all the time", 5.0)

    async def _is_the_one_we_sent(self, tenant: str, remote: RemoteInvoice) -> bool:
        """Tell so also of one whose sending is not recorded yet."""
        name = stream_id(tenant, PaymentAccount.KIND, PAYMENTS_ID)
        account = await self._log.load(PaymentAccount, name)
        sent = account.sent.get(remote.invoice_id or "")
        return sent is None or sent.remote_id == remote.remote_id


def payment_of(remote: RemoteInvoice, work: Work) -> Payment | None:
    """Return what an invoice's present state means, None for one that is just open."""
    invoice_id = remote.invoice_id or ""
    if remote.status == "paid":
        return InvoicePaid(invoice_id=invoice_id, amount_minor=remote.paid_minor, noticed_at=work.at)
    if remote.status in {"void", "uncollectible"}:
        return InvoiceAbandoned(invoice_id=invoice_id, status=remote.status, noticed_at=work.at)
    if remote.status == "open" and remote.attempts > 0:
        return InvoicePaymentFailed(invoice_id=invoice_id, attempts=remote.attempts, noticed_at=work.at)
    return None
