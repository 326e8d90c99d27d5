"""A removed provider's credential cannot be opened from the log any more; its neighbour's still can."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from application.ports import AppendRequest, NewEvent
from domain.kernel.personal import Erased
from domain.orchestration.events import ProviderRegistered, ProviderRemoved
from domain.registry import event_registry
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.jobs.credentials import NAME, ROUTES, credentials_job
from infrastructure.jobs.job import JobCall, JobRef
from tests.event_store import EventStore, open_store


def registered(name: str, credential: str) -> ProviderRegistered:
    return ProviderRegistered(
        name=name,
        revision=1,
        dialect="openai",
        base_url="http://127.0.0.1:1",
        registered_at=datetime(2026, 1, 1, tzinfo=UTC),
        credential_id=credential,
        api_key=f"secret of {name}",
    )


async def append(store: EventStore, name: str, event: ProviderRegistered | ProviderRemoved) -> None:
    await store.log.append(
        AppendRequest("t1", f"{name}-{event.TYPE}", (NewEvent(f"t1/provider/{name}", event),))
    )


async def test_a_retired_credential_is_destroyed(database: PostgresEndpoint, tmp_path: Path) -> None:
    async with open_store(database, tmp_path / "keys", event_registry()) as store:
        await append(store, "acme", registered("acme", "credential-1"))
        await append(store, "other", registered("other", "credential-2"))
        await append(store, "acme", ProviderRemoved(name="acme", retired=("credential-1",)))
        *_, removed = (await store.reader.read_batch(0, 10)).events
        assert tuple(ROUTES[removed.type](removed)) == (NAME,)
        call = JobCall(ref=JobRef(NAME, removed.position), envelope=removed, last_attempt=False)
        for _ in range(2):
            await credentials_job(store.shredder).handler(call)
        acme, other, _ = (await store.reader.read_batch(0, 10)).events
        assert isinstance(acme.event.api_key, Erased)
        assert other.event.api_key == "secret of other"


async def test_a_change_that_retires_nothing_asks_for_no_job(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with open_store(database, tmp_path / "keys", event_registry()) as store:
        await append(store, "acme", registered("acme", "credential-1"))
        [envelope] = (await store.reader.read_batch(0, 10)).events
        assert tuple(ROUTES[envelope.type](envelope)) == ()
