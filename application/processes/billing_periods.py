"""The workflow `billing-period-close`: issues the invoices of periods that are over.

It crosses contexts: a run of workflows closes accounts of billing. Each period is closed once whatever runs
beside it: the account's stream has one next version, and the command id names the period.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from application.billing.ports import UsageBook
from application.billing.previews import usage_for
from application.bus import Caller, Work
from application.ports import Clock, EventLog
from application.workflows.running import WorkflowRun
from domain.billing.account import ACCOUNT_ID, BillingAccount
from domain.kernel.errors import AiosError, Unavailable, VersionConflict
from domain.kernel.names import DEFAULT_TENANT

COUNTED_WITHIN_S = 30.0
POLL_S = 0.1
ATTEMPTS = 8
Tenants = Callable[[], Awaitable[Sequence[str]]]
"""Every tenant that has or had a subscription; may lag seconds behind the log."""

logger = logging.getLogger(__name__)


def concerns(run: WorkflowRun, tenant: str) -> bool:
    """Tell whether a run works for a tenant: the schedule's for all, one that a tenant asked for itself."""
    return run.tenant in {DEFAULT_TENANT, tenant}


async def counted(log: EventLog, book: UsageBook, within_s: float = COUNTED_WITHIN_S) -> int:
    """Wait until what the log holds now is counted; returns a position from there on. Raises Unavailable."""
    head = await log.head()
    for _ in range(round(within_s / POLL_S)):
        position = await book.position()
        if position >= head:
            return position
        await asyncio.sleep(POLL_S)
    raise Unavailable("projections", "usage is not counted up to now yet", 5.0)


class BillingPeriodClose:
    """The handler of the workflow."""

    def __init__(self, log: EventLog, book: UsageBook, tenants: Tenants, clock: Clock) -> None:
        self._log = log
        self._book = book
        self._tenants = tenants
        self._clock = clock

    async def __call__(self, run: WorkflowRun) -> Mapping[str, int]:
        """Close what is due by the run's slot; an account that fails keeps no other one waiting."""
        tenants = [tenant for tenant in await self._tenants() if concerns(run, tenant)]
        counts = {"accounts": len(tenants), "closed": 0, "failed": 0}
        for tenant in tenants:
            try:
                while await self._close_next(run, tenant, run.due_at):
                    counts["closed"] += 1
            except Unavailable:
                raise
            except AiosError:
                logger.exception("the account of tenant %s could not be closed", tenant)
                counts["failed"] += 1
        return counts

    async def _close_next(self, run: WorkflowRun, tenant: str, due_by: datetime) -> bool:
        """Close the oldest due period of an account and tell whether there was one."""
        for _ in range(ATTEMPTS):
            work = Work(self._log, self._caller(run, tenant), self._clock())
            account = await work.load(BillingAccount, ACCOUNT_ID)
            billed = account.due(due_by)
            if billed is None:
                return False
            upto = await counted(self._log, self._book)
            usage = await usage_for(self._book, tenant, account.ledger, billed, upto)
            issued = account.close(tenant, billed, usage, work.at)
            work.caller = self._caller(run, tenant, f"close/{issued.period_start.isoformat()}")
            try:
                await work.save(account)
            except VersionConflict:
                continue
            return True
        raise Unavailable("billing", f"the account of tenant {tenant} changes all the time", 5.0)

    @staticmethod
    def _caller(run: WorkflowRun, tenant: str, command_id: str = "") -> Caller:
        return Caller(
            tenant=tenant,
            actor=f"system/{run.definition.name}",
            roles=frozenset(),
            correlation=run.correlation,
            command_id=f"billing/{command_id}",
        )
