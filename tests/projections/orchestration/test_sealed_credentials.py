"""A provider's credential lies sealed in the log, works in memory, and is gone when its data key is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection

from application.ports import AppendRequest, NewEvent
from domain.kernel.aggregate import stream_id
from domain.kernel.personal import Erased
from domain.orchestration.events import ProviderRegistered
from domain.orchestration.provider import Endpoint, Provider
from domain.registry import event_registry
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from projections.orchestration.live import TYPES, ProviderDirectory
from tests.domain.given import AT
from tests.event_store import EventStore, open_store

STREAM = stream_id("acme", Provider.KIND, "vllm")
EVENT = ProviderRegistered(
    name="vllm",
    revision=1,
    registered_at=AT,
    dialect="openai",
    base_url="http://gpu:8000/v1",
    header_names=("x-team",),
    credential_id="provider/vllm@1",
    api_key="s3cret-of-acme",
    headers=(("x-team", "h3ader-value"),),
)


@pytest.fixture
async def store(database: PostgresEndpoint, tmp_path: Path) -> AsyncIterator[EventStore]:
    async with open_store(database, tmp_path / "keys", event_registry()) as opened:
        await opened.log.append(
            AppendRequest(tenant="acme", command_id="c1", events=(NewEvent(STREAM, EVENT, 0),))
        )
        yield opened


async def live(store: EventStore) -> ProviderDirectory:
    directory = ProviderDirectory(())
    async for envelope in store.log.read(types=TYPES):
        directory.apply(envelope)
    return directory


async def stored_rows(store: EventStore) -> list[tuple[Any, ...]]:
    async with await AsyncConnection.connect(store.endpoint.system_dsn) as conn:
        cursor = await conn.execute("SELECT convert_from(data::bytea, 'UTF8'), key_ids FROM events")
        return await cursor.fetchall()


async def test_the_log_holds_no_secret_but_the_directory_knows_it(store: EventStore):
    ((data, kids),) = await stored_rows(store)
    assert "s3cret-of-acme" not in data
    assert "h3ader-value" not in data
    assert len(kids) == 1
    connection = (await live(store)).connection("acme", "vllm")
    assert connection is not None
    assert (connection.api_key, connection.headers) == ("s3cret-of-acme", {"x-team": "h3ader-value"})


async def test_a_destroyed_data_key_leaves_a_provider_without_credential(store: EventStore):
    ((_, kids),) = await stored_rows(store)
    assert (await store.shredder.destroy("acme", kids)).destroyed == 1
    connection = (await live(store)).connection("acme", "vllm")
    assert connection is not None
    assert (connection.api_key, connection.headers) == (None, {})
    provider = await store.log.load(Provider, STREAM)
    assert provider.active is not None
    assert isinstance(provider.active.api_key, Erased)
    again = provider.register(Endpoint(name="vllm", dialect="openai", base_url="http://gpu:8000/v1"), AT)
    assert again.credential_id is None
