"""The workflows that keep billing and the payment system together: usage reports and reconciliation.

They cross contexts: runs of workflows read and write billing. What differs becomes an event; nothing is
mended silently.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from application.billing.collecting import BOOKS_ID
from application.billing.derivation import cells_between
from application.billing.noticing import receive
from application.billing.payment_system import PaymentRecords
from application.billing.ports import UsageBook
from application.billing.previews import ledger_at
from application.billing.reconciling import Comparison, Finding
from application.bus import Caller, Work
from application.ports import Clock, EventLog
from application.processes.billing_periods import Tenants, concerns, counted
from application.workflows.running import WorkflowRun
from domain.billing.payment_events import Depth, ReconciliationCompleted
from domain.billing.payments import PAYMENTS_ID, Books, PaymentAccount
from domain.kernel.aggregate import stream_id
from domain.kernel.errors import Unavailable, VersionConflict
from domain.kernel.names import DEFAULT_TENANT

OVERLAP = timedelta(minutes=15)
"""How far before the last look the next one begins: what arrives twice is stored once."""

LONGEST_LOOK = timedelta(days=29)
ATTEMPTS = 8


def _work(log: EventLog, run: WorkflowRun, tenant: str, step: str, at: datetime) -> Work:
    caller = Caller(
        tenant=tenant,
        actor=f"system/{run.definition.name}",
        roles=frozenset(),
        correlation=run.correlation,
        command_id=run.step(step),
    )
    return Work(log, caller, at)


class UsageReporting:
    """The handler of `billing-usage-report`, for tenants whose quantities are priced elsewhere."""

    def __init__(self, log: EventLog, book: UsageBook, tenants: Tenants, clock: Clock) -> None:
        self._log = log
        self._book = book
        self._tenants = tenants
        self._clock = clock

    async def __call__(self, run: WorkflowRun) -> Mapping[str, int]:
        """Prepare what was recorded since the last report; the outbox has it sent."""
        prepared = 0
        for tenant in await self._tenants():
            if concerns(run, tenant):
                prepared += await self._prepare(run, tenant)
        return {"reports": prepared}

    async def _prepare(self, run: WorkflowRun, tenant: str) -> bool:
        now = self._clock()
        current = (await ledger_at(self._log, tenant)).period_at(now)
        if not current.subscribed or current.subscription.collection != "meter_events":
            return False
        upto = await counted(self._log, self._book)
        work = _work(self._log, run, tenant, f"report/{tenant}", now)
        account = await work.load(PaymentAccount, PAYMENTS_ID)
        start = current.period.start
        after = account.upto_position or await self._book.position_at(start)
        cells = [
            cell
            async for cell in cells_between(self._log, tenant, after, upto)
            if cell.quarter is not None and (account.upto_position or cell.quarter >= start)
        ]
        if account.prepare_report(tenant, cells, upto, now) is None:
            return False
        try:
            await work.save(account)
        except VersionConflict:  # somebody else prepared it
            return False
        return not work.duplicate


class Reconciliation:
    """The handler of the hourly and the nightly comparison; without a payment system it compares the log."""

    def __init__(
        self,
        log: EventLog,
        book: UsageBook,
        payments: PaymentRecords | None,
        tenants: Tenants,
        clock: Clock,
        depth: Depth,
    ) -> None:
        self._log = log
        self._payments = payments
        self._tenants = tenants
        self._clock = clock
        self._depth: Depth = depth
        self._comparison = Comparison(log, book, payments)

    async def __call__(self, run: WorkflowRun) -> Mapping[str, int]:
        """Fetch notices that never arrived, compare each tenant's books, and record what was found."""
        now = self._clock()
        missed, cursor = await self._fetch(now)
        compare: Callable[[str, datetime], Awaitable[Sequence[Finding]]] = (
            self._comparison.missing if self._depth == "hourly" else self._comparison.everything
        )
        checked = found = 0
        for tenant in await self._tenants():
            if concerns(run, tenant):
                findings = await compare(tenant, now)
                checked += len(findings)
                found += await self._record(run, tenant, findings)
        done = ReconciliationCompleted(
            depth=self._depth, checked=checked, found=found, completed_at=now, cursor=cursor
        )
        await self._complete(run, done)
        return {"checked": checked, "differences": found, "missed_notices": missed}

    async def _fetch(self, now: datetime) -> tuple[int, datetime | None]:
        """Store notices that did not arrive by themselves; returns how many, and up to when was looked."""
        if self._payments is None:
            return 0, None
        books = await _books_of_the_installation(self._log)
        since = max((books.cursor or now) - OVERLAP, now - LONGEST_LOOK)
        missed = 0
        for notice in await self._payments.notices_since(since):
            missed += await receive(self._log, notice, "poll")
        return missed, now

    async def _record(self, run: WorkflowRun, tenant: str, findings: Sequence[Finding]) -> int:
        for attempt in range(ATTEMPTS):
            work = _work(self._log, run, tenant, f"books/{tenant}/{attempt}", self._clock())
            books = await work.load(Books, BOOKS_ID)
            found = sum([books.compare(*finding, work.at) for finding in findings])
            try:
                await work.save(books)
            except VersionConflict:
                continue
            return found
        raise Unavailable("billing", f"the books of tenant {tenant} change all the time", 5.0)

    async def _complete(self, run: WorkflowRun, done: ReconciliationCompleted) -> None:
        for attempt in range(ATTEMPTS):
            work = _work(self._log, run, DEFAULT_TENANT, f"completed/{attempt}", self._clock())
            books = await work.load(Books, BOOKS_ID)
            books.completed(done, work.at)
            try:
                await work.save(books)
            except VersionConflict:
                continue
            return


async def _books_of_the_installation(log: EventLog) -> Books:
    return await log.load(Books, stream_id(DEFAULT_TENANT, Books.KIND, BOOKS_ID))
