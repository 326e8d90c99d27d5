"""A bench for billing: the real log and read models, a clock to turn, and what a worker would do."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from application.billing.derivation import derive_usage
from application.billing.handlers import HANDLERS
from application.billing.ports import BillingPorts
from application.billing.previews import Previews, ledger_at
from application.bus import Caller, Command, Work
from application.ports import AppendRequest, NewEvent
from application.processes.billing_periods import BillingPeriodClose, counted
from application.workflows.running import WorkflowRun
from domain.billing.drafting import draft
from domain.billing.events import InvoiceIssued
from domain.billing.invoice import Draft
from domain.kernel.events import Event
from domain.kernel.request_record import RequestRecorded
from domain.registry import event_registry
from domain.workflows.catalogue import BILLING_PERIOD_CLOSE, WorkflowDefinition
from infrastructure.billing.usage_book import ProjectedUsage
from infrastructure.database.engines import engine
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from projections.billing.project import BILLING
from projections.billing.queries import subscribed_tenants
from projections.billing.usage_project import BILLING_USAGE
from projections.generations import install
from projections.runner import Pace, Runner
from projections.scope import tenant_connection
from tests.event_store import EventStore, open_store
from tests.projections.usage_world import request
from tests.waiting import until

JAN = datetime(2026, 1, 1, tzinfo=UTC)
ROLES = frozenset({"admin", "platform"})


class BillingBench:
    """One test's log, projections and clock."""

    def __init__(self, store: EventStore, endpoint: PostgresEndpoint) -> None:
        self.store = store
        self.now = JAN
        self.app = engine(endpoint.app_dsn)
        self.system = engine(endpoint.system_dsn)
        self.owner = engine(endpoint.owner_dsn)
        self.book = ProjectedUsage(store.log, store.tail, self.reading)
        self.previews = Previews(store.log, self.book, self.clock)
        self.close_periods = BillingPeriodClose(store.log, self.book, self.tenants, self.clock)

    def clock(self) -> datetime:
        return self.now

    def reading(self, tenant: str) -> AbstractAsyncContextManager[AsyncConnection]:
        return tenant_connection(self.app, tenant)

    async def tenants(self) -> Sequence[str]:
        async with self.system.connect() as conn:
            return await subscribed_tenants(conn)

    async def do(self, command: Command, tenant: str = "t1") -> Any:
        """Carry out a command as the tenant's administrator, who is the platform's operator too."""

        async def exists(_tenant: str) -> bool:
            return True

        caller = Caller(
            tenant=tenant,
            actor="key/test",
            roles=ROLES,
            correlation="req_1",
            command_id=f"cmd_{secrets.token_hex(8)}",
        )
        work = Work(self.store.log, caller, self.now)
        return await HANDLERS[type(command)](command, work, BillingPorts(exists))

    async def use(self, *events: RequestRecorded, tenant: str = "t1") -> None:
        """Record requests, a thousand in a transaction at most."""
        for start in range(0, len(events), 1000):
            await asyncio.gather(*(self.append(event, tenant) for event in events[start : start + 1000]))

    async def used(self, at: datetime, tenant: str = "t1", **fields: Any) -> None:
        """Record one request that began at a time."""
        await self.use(request(started_at=at, **fields), tenant=tenant)

    async def append(self, event: Event, tenant: str = "t1") -> None:
        name = secrets.token_hex(8)
        stream = NewEvent(f"{tenant}/request/{name}", event)
        await self.store.log.append(AppendRequest(tenant=tenant, command_id=name, events=(stream,)))

    def run(self, definition: WorkflowDefinition, tenant: str = "default") -> WorkflowRun:
        name = secrets.token_hex(8)
        return WorkflowRun(
            run_id=f"run_{name}",
            tenant=tenant,
            definition=definition,
            due_at=self.now,
            correlation=name,
            effect_id=name,
        )

    async def close(self, at: datetime) -> Mapping[str, int]:
        """Run `billing-period-close` at a time."""
        self.now = at
        await self.caught_up()
        return await self.close_periods(self.run(BILLING_PERIOD_CLOSE))

    async def caught_up(self) -> int:
        """Wait until both projections have what the log holds."""
        position = await counted(self.store.log, self.book)
        await until(lambda: self._projected(BILLING.name, position), f"billing reaches {position}")
        return position

    async def _projected(self, name: str, position: int) -> bool:
        query = text(
            "SELECT 1 FROM projection_checkpoints c JOIN projection_generations g "
            "USING (projection, generation) "
            "WHERE g.state = 'active' AND c.projection = :name AND c.position >= :position"
        )
        async with self.system.connect() as conn:
            return (await conn.execute(query, {"name": name, "position": position})).first() is not None

    async def invoices(self, tenant: str = "t1") -> list[InvoiceIssued]:
        """Return a tenant's invoices from the log, oldest first."""
        return [e.event async for e in self.store.log.read(types=[InvoiceIssued.TYPE], tenant=tenant)]

    async def derived(self, tenant: str, at: datetime, upto: int) -> Draft:
        """Draft the invoice of the period that holds a time from the events of the log alone."""
        ledger = await ledger_at(self.store.log, tenant, upto)
        billed, last = ledger.period_at(at), ledger.last_closed
        usage = await derive_usage(
            self.store.log,
            tenant,
            billed.period,
            upto=upto,
            late_before=last.period.end if last else None,
            after=ledger.as_of_position,
        )
        return draft(ledger, billed, usage)


@asynccontextmanager
async def open_bench(database: PostgresEndpoint, keys: Path) -> AsyncIterator[BillingBench]:
    """Open a bench with a projector at work."""
    async with open_store(database, keys, event_registry()) as store:
        bench = BillingBench(store, database)
        await install(bench.owner, [BILLING, BILLING_USAGE])
        pace = Pace(batch=1000, lease_s=5.0, renew_s=0.5, standby_s=0.1)
        projections = [BILLING, BILLING_USAGE]
        runner = Runner(projections, store.tail, system=bench.system, owner=bench.owner, pace=pace)
        task = asyncio.create_task(runner.run())
        try:
            yield bench
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            for each in (bench.app, bench.system, bench.owner):
                await each.dispose()
