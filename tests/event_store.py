"""Opens the real event store for tests, with a registry of small test events beside the product's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from application.ports import AppendRequest, NewEvent
from domain.kernel.aggregate import Aggregate
from domain.kernel.events import Event, EventRegistry
from domain.kernel.personal import Erased, Personal
from infrastructure.database import engines
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.event_store.committer import GroupCommitter
from infrastructure.event_store.fence import KeyFence
from infrastructure.event_store.log import PostgresEventLog
from infrastructure.event_store.reader import LogReader
from infrastructure.event_store.tail import Doorbell, Tail
from infrastructure.keyring.keyring import Keyring
from infrastructure.keyring.kms import FileKms
from infrastructure.keyring.shredder import Shredder

MASTER_KEY = b"m" * 32


class Counted(Event, frozen=True, kw_only=True):
    """A number was added."""

    TYPE: ClassVar[str] = "test.counted"
    amount: int
    note: str = ""


class PersonNoted(Event, frozen=True, kw_only=True):
    """Something about a person was noted."""

    TYPE: ClassVar[str] = "test.person_noted"
    subject: str
    text: Annotated[str | Erased | None, Personal(subject="subject", category="=notes")] = None


class Counter(Aggregate):
    """Adds numbers."""

    KIND: ClassVar[str] = "counter"
    SNAPSHOT_EVERY: ClassVar[int] = 20
    total: int

    def initialise(self) -> None:
        self.total = 0

    def apply(self, event: Event) -> None:
        if isinstance(event, Counted):
            self.total += event.amount


@dataclass
class EventStore:
    """Everything a test needs of an open store."""

    endpoint: PostgresEndpoint
    log: PostgresEventLog
    committer: GroupCommitter
    reader: LogReader
    keyring: Keyring
    tail: Tail
    kms: FileKms
    shredder: Shredder


def test_registry() -> EventRegistry:
    registry = EventRegistry()
    registry.register([Counted, PersonNoted])
    return registry


test_registry.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it by its name


def append_request(number: int, *, tenant: str = "t1", stream: str | None = None, **kw: Any) -> AppendRequest:
    """Return a request that appends one Counted event."""
    expected = kw.pop("expected", None)
    stream_id = stream or f"{tenant}/counter/{number}"
    return AppendRequest(
        tenant=tenant,
        command_id=kw.pop("command_id", f"c{number}"),
        events=(NewEvent(stream_id, Counted(amount=number), expected),),
        correlation="r1",
        actor="key/test",
        **kw,
    )


@asynccontextmanager
async def open_store(
    endpoint: PostgresEndpoint, keys: Path, registry: EventRegistry | None = None, **committer: Any
) -> AsyncIterator[EventStore]:
    """Open the store as a process of the product does."""
    await asyncio.to_thread(keys.mkdir, mode=0o700, exist_ok=True)
    kms = FileKms(keys, MASTER_KEY)
    pool = engines.pool(endpoint.system_dsn, application="test-log")
    keyring_pool = engines.pool(endpoint.keyring_dsn, application="test-keyring")
    await pool.open()
    await keyring_pool.open()
    keyring = Keyring(keyring_pool, kms)
    await keyring.prepare()
    shredder = Shredder(keyring, kms, KeyFence(pool))
    reader = LogReader(pool, registry or test_registry(), keyring)
    committers = GroupCommitter(endpoint.system_dsn, keyring, **committer)
    doorbell = Doorbell(endpoint.system_dsn)
    await doorbell.start()
    try:
        log = PostgresEventLog(committers, reader, keyring)
        yield EventStore(endpoint, log, committers, reader, keyring, Tail(reader, doorbell), kms, shredder)
    finally:
        await committers.close()
        await doorbell.close()
        await pool.close()
        await keyring_pool.close()
