"""Valkey dies under load, or comes back empty."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.embedded.valkey import EmbeddedValkey
from infrastructure.jobs.broker import RedisQueue, build_broker
from infrastructure.jobs.job import JobRef
from tests.infrastructure.jobs.bench import open_bench


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A Valkey of this test's own, to kill."""
    server = EmbeddedValkey(tmp_path / "aios")
    server.ensure_running()
    yield server
    server.stop()


def kill_and_restart(server: EmbeddedValkey) -> None:
    """Kill the server and start it on the same data."""
    pid = server.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    server.ensure_running()
    assert server.pid != pid


@pytest.mark.slow
async def test_a_killed_valkey_loses_no_job_that_it_took(
    database: PostgresEndpoint, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    async with open_bench(database, tmp_path, valkey.endpoint().url) as bench:
        # given jobs that Valkey took, and no outbox that could bring them again
        positions = await bench.ask("count", times=50)
        queue = RedisQueue(build_broker(bench.redis_url, namespace=bench.namespace))
        await queue.enqueue([JobRef("count", position) for position in positions])
        # when
        kill_and_restart(valkey)
        # then
        async with bench.working():
            await bench.until_effects(positions)
        assert await bench.effects() == positions


@pytest.mark.slow
async def test_a_valkey_killed_under_load_loses_and_doubles_nothing(
    database: PostgresEndpoint, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    async with open_bench(database, tmp_path, valkey.endpoint().url) as bench:
        positions: list[int] = []
        with bench.process("outbox"), bench.process("worker"):
            for _ in range(2):
                positions += await bench.ask("count", times=60)
                await bench.until_effects(positions[:5])
                kill_and_restart(valkey)
            positions += await bench.ask("count", times=10)
            await bench.until_effects(positions, within_s=60.0)
        assert await bench.effects() == positions


@pytest.mark.slow
async def test_a_valkey_that_lost_everything_gets_all_that_is_not_done(
    database: PostgresEndpoint, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    async with open_bench(database, tmp_path, valkey.endpoint().url) as bench:
        # given jobs that wait in the queue
        with bench.process("outbox"):
            positions = await bench.ask("count", times=20)
            await bench.all_handed(20)
            # when Valkey forgets all of it and is started anew
            with redis.Redis.from_url(bench.redis_url) as client:
                client.flushall()
            kill_and_restart(valkey)
            # then
            async with bench.working():
                await bench.until_effects(positions, within_s=60.0)
        assert await bench.effects() == positions
