"""The jobs of payment: what the log asks the payment system to be told, and its notices to be worked on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from application.billing.collecting import Collector
from application.billing.noticing import Noticer
from application.billing.payment_system import PaymentSystem
from application.ports import Clock, EventLog
from domain.billing.events import InvoiceIssued, SubscriptionSet
from domain.billing.payment_events import PaymentNoticeReceived, UsageReportPrepared
from domain.kernel.events import Envelope
from infrastructure.jobs.job import Job, JobCall
from infrastructure.jobs.outbox import Routes

LONGEST_PAUSE_S = 120.0
MOST_RETRIES = 2500
"""More than three days of an outage, at the longest pause."""

Step = Callable[[Envelope[Any], str], Awaitable[None]]
NAMES: Mapping[str, str] = {
    InvoiceIssued.TYPE: "billing.send-invoice",
    SubscriptionSet.TYPE: "billing.link-subscription",
    UsageReportPrepared.TYPE: "billing.report-usage",
    PaymentNoticeReceived.TYPE: "billing.payment-notice",
}


def _asked(envelope: Envelope[Any]) -> Iterable[str]:
    return (NAMES[envelope.type],)


ROUTES: Routes = dict.fromkeys(NAMES, _asked)


def payment_jobs(log: EventLog, payments: PaymentSystem | None, clock: Clock) -> list[Job]:
    """Return the jobs; without a payment system they do nothing."""
    steps: Mapping[str, Step] = {}
    if payments is not None:
        collector = Collector(log, payments, clock)
        noticer = Noticer(log, payments, collector, clock)
        steps = {
            InvoiceIssued.TYPE: collector.send_invoice,
            SubscriptionSet.TYPE: collector.link_subscription,
            UsageReportPrepared.TYPE: collector.report_usage,
            PaymentNoticeReceived.TYPE: noticer.work_on,
        }
    return [_job(name, steps.get(event_type)) for event_type, name in NAMES.items()]


def _job(name: str, step: Step | None) -> Job:
    async def handle(call: JobCall) -> None:
        if step is not None:
            await step(call.envelope, call.ref.effect_id)

    return Job(name=name, handler=handle, max_retries=MOST_RETRIES, longest_pause_s=LONGEST_PAUSE_S)
