"""Several processes on the real log: one works, another takes over when it is killed or stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import pytest

from application.ports import AppendRequest, NewEvent
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from projections.generations import install
from projections.lag import list_projections
from tests.event_store import EventStore, open_store
from tests.projections.conftest import Engines, Running, reached
from tests.projections.runner_process import registry
from tests.projections.shelf import SHELF, ItemAdded
from tests.waiting import until

OWNERS = "SELECT owner FROM projection_leases WHERE expires_at > clock_timestamp()"


@pytest.fixture
async def shelf_store(database: PostgresEndpoint, tmp_path: Path) -> AsyncIterator[EventStore]:
    async with open_store(database, tmp_path / "keys", registry()) as store:
        yield store


@asynccontextmanager
async def runner_process(database: PostgresEndpoint, keys: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.projections.runner_process", str(keys), stdin=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdin
        process.stdin.write(json.dumps(asdict(database)).encode() + b"\n")
        await process.stdin.drain()
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def add(store: EventStore, *names: str) -> int:
    events = tuple(NewEvent(f"t1/shelf/{name}", ItemAdded(item=name)) for name in names)
    stored = await store.log.append(AppendRequest(tenant="t1", command_id=f"add-{names}", events=events))
    return stored.last_position


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_another_process_takes_over(
    database: PostgresEndpoint,
    engines: Engines,
    shelf_store: EventStore,
    tmp_path: Path,
    blow: signal.Signals,
) -> None:
    async def somebody_works() -> bool:
        return bool(await engines.rows(OWNERS))

    async with (
        runner_process(database, tmp_path / "keys") as one,
        runner_process(database, tmp_path / "keys") as two,
    ):
        # given one of two processes at work
        await until(somebody_works, "a lease is taken", 60)
        await reached(engines, "shelf", await add(shelf_store, *(f"a{n}" for n in range(50))))
        [(owner,)] = await engines.rows(OWNERS)
        worker = one if f"/{one.pid}/" in owner else two
        # when it dies, or hangs, while events come in
        os.kill(worker.pid, blow)
        last = await add(shelf_store, *(f"b{n}" for n in range(50)))
        # then the other projects on, each event once
        await reached(engines, "shelf", last)
        [(successor,)] = await engines.rows(OWNERS)
    assert f"/{worker.pid}/" not in successor
    assert await engines.rows("SELECT added FROM shelf_totals") == [(100,)]
    assert await engines.rows("SELECT count(*) FROM shelf_items") == [(100,)]


async def test_lag_tells_what_is_still_to_come(
    engines: Engines, shelf_store: EventStore, running: Running
) -> None:
    # given a projection that nobody runs
    await install(engines.owner, [SHELF])
    await add(shelf_store, "a", "b")
    last = await add(shelf_store, "c")
    # when
    [behind] = await list_projections(engines.system, shelf_store.tail, [SHELF])
    async with running(shelf_store.tail, [SHELF]):
        await reached(engines, "shelf", last)
        [level] = await list_projections(engines.system, shelf_store.tail, [SHELF])
    # then
    assert (behind.state, behind.lag_events, behind.position, behind.head) == ("stopped", 3, 0, 3)
    assert behind.lag_seconds > 0
    assert (level.state, level.lag_events, level.lag_seconds, level.parked) == ("running", 0, 0.0, 0)
