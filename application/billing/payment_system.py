"""The payment system as billing sees it: it is told, it is asked, and it sends notices.

PaymentRefused   it will never take what it was given; anything else that goes wrong is Unavailable.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from domain.billing.events import InvoiceIssued
from domain.billing.payment_events import MeterEntry
from domain.kernel.errors import Conflict


class PaymentRefused(Conflict):
    """The payment system refused a request for good; the message holds its code and no personal data."""


class RemoteInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as the payment system has it, amounts in our minor units.

    `tenant` and `invoice_id` are what we marked it with, None on what is not ours.
    """

    remote_id: str
    status: str
    currency: str
    total_minor: int
    paid_minor: int
    attempts: int
    tenant: str | None
    invoice_id: str | None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """The payment system's word that something happened to an object."""

    notice_id: str
    kind: str
    object_type: str
    object_id: str
    happened_at: datetime


class PaymentSink(Protocol):
    """Is told. Every call may be repeated under the same key, whenever: its effect is there once."""

    async def ensure_customer(self, tenant: str, key: str) -> str: ...

    async def send_invoice(
        self, customer: str, tenant: str, invoice: InvoiceIssued, key: str
    ) -> RemoteInvoice:
        """Bring an invoice there, line by line, and have it collected unless its total differs from ours."""
        ...

    async def report_usage(self, customer: str, entries: Sequence[MeterEntry], key: str) -> None: ...

    async def ensure_subscription(
        self, customer: str, tenant: str, prices: Sequence[str], key: str
    ) -> str: ...


class PaymentRecords(Protocol):
    """Is asked; answers are as of now."""

    async def invoice(self, remote_id: str) -> RemoteInvoice | None: ...

    async def invoices_of(self, customer: str) -> Sequence[RemoteInvoice]: ...

    async def notices_since(self, at: datetime) -> Sequence[Notice]: ...

    async def metered(self, customer: str, meter: str, start: datetime, end: datetime) -> int | None:
        """Return what a meter counted in [start, end), None when there is no such meter."""
        ...


class PaymentSystem(PaymentSink, PaymentRecords, Protocol):
    """Both."""


class NoticeReader(Protocol):
    """Checks who a notice comes from."""

    def read(self, body: bytes, signature: str, now: datetime) -> Notice:
        """Return a notice whose signature is ours and not old. Raises Unauthenticated, InvalidInput."""
        ...
