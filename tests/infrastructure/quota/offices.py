"""Several API processes' worth of quotas, each with its own committer, on one real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from application.ports import AppendRequest, NewEvent
from domain.kernel.events import EventRegistry
from domain.kernel.request_record import Attempt, Decision, RequestRecorded, TokenCounts
from domain.registry import event_registry
from domain.usage.events import QuotaSet
from domain.usage.quota import Account, QuotaLimits, Scope
from domain.usage.quota_slices import DoesNotFit
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.event_store.verify import Report, verify
from infrastructure.quota.counters import QuotaCounters
from infrastructure.quota.service import QuotaService
from infrastructure.quota.slices import Hold
from infrastructure.quota.watch import QuotaWatch
from projections.usage.quota_live import QuotaDirectory
from tests.event_store import EventStore, open_store

TENANT = "acme"
WHOLE = Scope("tenant")
AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOKENS = Account(TENANT, "tenant", "", "2026-11", "tokens")


def record(request_id: str, tokens: int, *, cost: int = 0, at: datetime = AT, **more: Any) -> RequestRecorded:
    """Return the record of a request that used so much."""
    return RequestRecorded(
        **{
            "request_id": request_id,
            "operation": "chat",
            "dialect": "openai",
            "workspace": "default",
            "key_id": "k1",
            "started_at": at,
            "duration_ms": 5,
            "outcome": "succeeded",
            "status": 200,
            "decision": Decision(requested_model="auto"),
            "attempts": (Attempt(provider="one", model="m", outcome="ok", started_ms=0, duration_ms=5),),
            "usage": TokenCounts(input=tokens, output=0),
            "usage_source": "provider",
            "cost_micros": cost,
            **more,
        }
    )


@dataclass
class Office:
    """One process: a store of its own, slices of its own."""

    store: EventStore
    counters: QuotaCounters
    service: QuotaService
    directory: QuotaDirectory
    watch: QuotaWatch

    async def set_limit(self, tokens: int | None, *, scope: Scope = WHOLE, **more: Any) -> None:
        """Set a scope's limits, as the command does."""
        limits = QuotaLimits(monthly_token_limit=tokens, **more)
        event = QuotaSet(scope=scope.kind, scope_id=scope.id, version=1, set_at=AT, limits=limits)
        await self.append(f"{TENANT}/quota/{scope.entity_id}", event, uuid4().hex)
        async for envelope in self.store.log.read(types=[QuotaSet.TYPE]):
            self.directory.apply(envelope)

    async def append(self, stream: str, event: Any, command_id: str) -> None:
        """Append one event."""
        await self.store.log.append(
            AppendRequest(tenant=TENANT, command_id=command_id, events=(NewEvent(stream, event),))
        )

    async def admit(self, request_id: str, amount: int, account: Account = TOKENS) -> Hold | None:
        """Reserve, None when it does not fit."""
        try:
            return await self.service.hold(TENANT, request_id, {account: amount})
        except DoesNotFit:
            return None

    async def finish(self, hold: Hold, tokens: int, **more: Any) -> None:
        """Store a request's record, then settle it."""
        event = record(hold.request_id, tokens, **more)
        await self.append(f"{TENANT}/requests/2026-11", event, hold.request_id)
        self.service.settle(hold, tokens, more.get("cost", 0))


@asynccontextmanager
async def offices(database: PostgresEndpoint, folder: Path, count: int) -> AsyncIterator[list[Office]]:
    """Open `count` processes."""
    registry: EventRegistry = event_registry()
    opened: list[Office] = []
    async with AsyncExitStack() as exits:
        for _ in range(count):
            counters = QuotaCounters()
            store = await exits.enter_async_context(
                open_store(database, folder / "keys", registry, inline=[counters])
            )
            service = QuotaService(store.reader._pool, database.system_dsn, counters)
            directory = QuotaDirectory()
            watch = QuotaWatch(service.slices, directory, counters, store.log.append, lambda: AT)
            await service.start()
            exits.push_async_callback(service.close)
            opened.append(Office(store, counters, service, directory, watch))
        yield opened


async def rows(database: PostgresEndpoint, query: str) -> list[Any]:
    """Read as the system's role."""
    async with await psycopg.AsyncConnection.connect(database.system_dsn, autocommit=True) as conn:
        return await (await conn.execute(query.encode())).fetchall()


async def change(database: PostgresEndpoint, statement: str) -> None:
    """Change something behind the product's back."""
    async with await psycopg.AsyncConnection.connect(database.system_dsn, autocommit=True) as conn:
        await conn.execute(statement.encode())


async def report(database: PostgresEndpoint) -> Report:
    """Verify the log and its counters."""
    async with await psycopg.AsyncConnection.connect(database.system_dsn, autocommit=True) as conn:
        return await verify(conn)


async def standing(database: PostgresEndpoint) -> Mapping[str, int]:
    """Return what the database says of the tenant's tokens: used, leased, held."""
    used = await rows(database, "SELECT coalesce(sum(tokens), 0) FROM quota_used WHERE kind = 'tenant'")
    lease = await rows(database, "SELECT coalesce(sum(amount), 0), coalesce(sum(held), 0) FROM quota_leases")
    return {"used": int(used[0][0]), "leased": int(lease[0][0]), "held": int(lease[0][1])}
