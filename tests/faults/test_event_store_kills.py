"""PostgreSQL is killed under load: what was acknowledged is there, once, and the log verifies."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import psycopg
import pytest

from domain.kernel.errors import Unavailable
from infrastructure.database.migrate import migrate
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.event_store.verify import verify
from tests.event_store import EventStore, append_request, open_store

ROUNDS = 3
WRITERS = 20
pytestmark = pytest.mark.slow


async def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg")
    try:
        endpoint = server.ensure_running()
        migrate(endpoint.owner_dsn)
        async with open_store(endpoint, tmp_path / "keys", patience_s=60.0) as store:
            acknowledged = await under_fire(store, server)
            positions = {e.command_id: e.position async for e in store.log.read()}
            assert len(positions) == await store.log.head()
            assert acknowledged.items() <= positions.items()
            assert len(acknowledged) > ROUNDS * WRITERS
            async with await psycopg.AsyncConnection.connect(endpoint.system_dsn, autocommit=True) as conn:
                report = await verify(conn)
            assert report.ok, report.problems
    finally:
        server.stop()


async def under_fire(store: EventStore, server: EmbeddedPostgres) -> dict[str, int]:
    """Write from many tasks while the postmaster is killed again and again; returns what was stored."""
    acknowledged: dict[str, int] = {}
    stop, progress = asyncio.Event(), asyncio.Event()
    chance = random.Random(4711)

    async def write(writer: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            command = f"w{writer}-{number}"
            try:
                stored = await store.log.append(
                    append_request(number, stream=f"t1/counter/{writer}", command_id=command)
                )
            except Unavailable:
                continue
            acknowledged[command] = stored.first_position
            progress.set()

    writers = [asyncio.create_task(write(n)) for n in range(WRITERS)]
    for _ in range(ROUNDS):
        await asyncio.sleep(chance.uniform(0.2, 0.8))
        pid = server.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(server.ensure_running)
        before = len(acknowledged)
        async with asyncio.timeout(60):
            while len(acknowledged) < before + WRITERS:
                progress.clear()
                await progress.wait()
    stop.set()
    await asyncio.gather(*writers)
    return acknowledged
