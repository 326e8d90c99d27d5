"""Billing's work in the background: the handlers of its workflows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from application.ports import Clock
from application.processes.billing_periods import BillingPeriodClose
from application.workflows.running import WorkflowHandler
from domain.workflows.catalogue import BILLING_PERIOD_CLOSE
from infrastructure.billing.usage_book import ProjectedUsage
from infrastructure.runtime import Runtime
from projections.billing.queries import subscribed_tenants


def billing_workflows(runtime: Runtime, system: AsyncEngine, clock: Clock) -> dict[str, WorkflowHandler]:
    """Return the handlers by workflow; `system` connects as `aios_system`, which sees every tenant."""

    @asynccontextmanager
    async def reading(_tenant: str) -> AsyncIterator[AsyncConnection]:
        async with system.connect() as conn:
            yield conn

    async def tenants() -> Sequence[str]:
        async with system.connect() as conn:
            return await subscribed_tenants(conn)

    book = ProjectedUsage(runtime.log, runtime.tail, reading)
    return {BILLING_PERIOD_CLOSE.name: BillingPeriodClose(runtime.log, book, tenants, clock)}
