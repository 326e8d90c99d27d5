"""Previews a period's invoice as of now, of any moment or position of the log: the same as it was then."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from application.billing.ports import UsageBook
from application.ports import Clock, EventLog
from domain.billing.account import ACCOUNT_ID, GRACE, BillingAccount
from domain.billing.drafting import Usage, draft
from domain.billing.invoice import Draft
from domain.billing.ledger import Ledger
from domain.billing.subscription import BillingPeriod
from domain.kernel.aggregate import stream_id
from domain.kernel.errors import InvalidInput
from domain.kernel.events import Event

CLOCK_SKEW = timedelta(seconds=5)


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as it stands; `closes_at` is when it will be issued, None without a subscription."""

    draft: Draft
    subscribed: bool
    closes_at: datetime | None


class Previews:
    """Drafts invoices from events up to a position: the same position gives the same draft."""

    def __init__(self, log: EventLog, book: UsageBook, clock: Clock) -> None:
        self._log = log
        self._book = book
        self._clock = clock

    async def preview(self, tenant: str, *, at: datetime | None, position: int | None) -> Preview:
        """Preview the period that holds `at`, by what had been recorded then; now if left off.

        With a `position` it is the period in which that event was recorded. Raises InvalidInput for both,
        and for what is not there yet.
        """
        moment, upto = await self._place(at, position)
        ledger = await ledger_at(self._log, tenant, upto)
        billed = ledger.period_at(moment)
        usage = await usage_for(self._book, tenant, ledger, billed, upto)
        return Preview(
            draft=draft(ledger, billed, usage),
            subscribed=billed.subscribed,
            closes_at=billed.period.end + GRACE if billed.subscribed else None,
        )

    async def _place(self, at: datetime | None, position: int | None) -> tuple[datetime, int]:
        if at is not None and position is not None:
            raise InvalidInput.at("/position", "give either `at` or `position`")
        now = self._clock()
        if position is not None:
            moment = await self._book.recorded_at(position) if position else None
            if moment is None:
                raise InvalidInput.at("/position", "the log has no event there")
            return moment, position
        if at is None:
            return now, await self._book.position()
        if at > now + CLOCK_SKEW:
            raise InvalidInput.at("/at", "this is in the future; leave it off for the present moment")
        return at, await self._book.position_at(at)


async def ledger_at(log: EventLog, tenant: str, upto: int | None = None) -> Ledger:
    """Fold a tenant's billing events up to a position, all without one."""
    ledger = Ledger()
    async for envelope in log.read_stream(stream_id(tenant, BillingAccount.KIND, ACCOUNT_ID)):
        if upto is not None and envelope.position > upto:
            break
        event: Event = envelope.event
        ledger.apply(event)
    return ledger


async def usage_for(book: UsageBook, tenant: str, ledger: Ledger, billed: BillingPeriod, upto: int) -> Usage:
    """Return what a draft of a period needs: its usage, and what came late for the periods before."""
    last = ledger.last_closed
    return await book.usage(
        tenant,
        billed.period,
        upto=upto,
        late_before=last.period.end if last else None,
        after=ledger.as_of_position,
    )
