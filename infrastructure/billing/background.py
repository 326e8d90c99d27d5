"""Billing's work in the background: the handlers of its workflows and its jobs, with one payment system."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from application.ports import Clock
from application.processes.billing_books import Reconciliation, UsageReporting
from application.processes.billing_periods import BillingPeriodClose
from application.workflows.running import WorkflowHandler
from domain.workflows import catalogue
from infrastructure.billing.payment_jobs import payment_jobs
from infrastructure.billing.usage_book import ProjectedUsage
from infrastructure.jobs.job import Job
from infrastructure.runtime import Runtime
from infrastructure.settings import Settings
from projections.billing.queries import subscribed_tenants

if TYPE_CHECKING:
    from infrastructure.billing.stripe import StripePayments


class BillingWork:
    """What a worker does for billing; `system` connects as `aios_system`, which sees every tenant."""

    def __init__(self, settings: Settings, runtime: Runtime, system: AsyncEngine, clock: Clock) -> None:
        self._log = runtime.log
        self._clock = clock
        self._system = system
        self._book = ProjectedUsage(runtime.log, runtime.tail, self._reading)
        key = settings.stripe_secret_key
        self._payments = _payments(key, clock, settings.stripe_api_base) if key else None

    def workflows(self) -> dict[str, WorkflowHandler]:
        """Return the handlers by workflow."""
        log, book, clock, tenants = self._log, self._book, self._clock, self._tenants
        payments = self._payments
        return {
            catalogue.BILLING_PERIOD_CLOSE.name: BillingPeriodClose(log, book, tenants, clock),
            catalogue.BILLING_USAGE_REPORT.name: UsageReporting(log, book, tenants, clock),
            catalogue.BILLING_RECONCILIATION_HOURLY.name: Reconciliation(
                log, book, payments, tenants, clock, "hourly"
            ),
            catalogue.BILLING_RECONCILIATION_NIGHTLY.name: Reconciliation(
                log, book, payments, tenants, clock, "nightly"
            ),
        }

    def jobs(self) -> list[Job]:
        """Return the jobs of payment."""
        return payment_jobs(self._log, self._payments, self._clock)

    async def close(self) -> None:
        """Close the connections to the payment system."""
        if self._payments is not None:
            await self._payments.close()

    @asynccontextmanager
    async def _reading(self, _tenant: str) -> AsyncIterator[AsyncConnection]:
        async with self._system.connect() as conn:
            yield conn

    async def _tenants(self) -> Sequence[str]:
        async with self._system.connect() as conn:
            return await subscribed_tenants(conn)


def _payments(key: str, clock: Clock, base_url: str | None) -> StripePayments:
    """Return the payment system. Its SDK takes 10 MB, which a process without one saves."""
    from infrastructure.billing.stripe import StripePayments

    return StripePayments(key, clock, base_url)
