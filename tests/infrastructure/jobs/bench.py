"""A bench for background work: the real log, Valkey and tables, jobs that leave traces, real processes."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from application.ports import AppendRequest, NewEvent
from domain.kernel.events import Envelope, Event, EventRegistry
from domain.registry import event_registry
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.ending import end
from infrastructure.jobs.connections import job_pool
from infrastructure.jobs.job import Job, JobCall
from infrastructure.jobs.processes import Pool, run_worker
from tests.event_store import Counted, EventStore, PersonNoted, open_store
from tests.waiting import until

ROOT = Path(__file__).parents[3]
ASK = "do:"


def bench_registry() -> EventRegistry:
    """Return the product's events and the small ones of tests."""
    registry = event_registry()
    registry.register([Counted, PersonNoted])
    return registry


def asked_for(envelope: Envelope[Any]) -> tuple[str, ...]:
    """Route: an event with the note `do:NAME` asks for the job NAME."""
    note = envelope.event.note
    return (note.removeprefix(ASK),) if note.startswith(ASK) else ()


ROUTES = {Counted.TYPE: asked_for}


def traced_jobs(store: EventStore, folder: Path) -> list[Job]:
    """Return `count`, which is quick; `hold`, which ends when told to; `stumble`, which fails once."""

    async def count(call: JobCall) -> None:
        leave_trace(folder, call)
        await store.log.append(effect(call))

    async def hold(call: JobCall) -> None:
        leave_trace(folder, call)
        await until(exists(folder / "release"), "the job is released", 60.0)
        await store.log.append(effect(call))

    async def stumble(call: JobCall) -> None:
        if leave_trace(folder, call) == 1:
            raise ValueError("private words")
        await store.log.append(effect(call))

    async def never(call: JobCall) -> None:
        leave_trace(folder, call)
        raise ValueError("private words")

    return [
        Job(name="count", handler=count),
        Job(name="hold", handler=hold),
        Job(name="stumble", handler=stumble, shortest_pause_s=0.1),
        Job(name="never", handler=never, max_retries=2, shortest_pause_s=0.1, longest_pause_s=0.2),
    ]


def effect(call: JobCall) -> AppendRequest:
    """Return the one event that a job leaves in the log."""
    stream = f"t1/done/{call.ref.position}"
    return AppendRequest(
        tenant="t1",
        command_id=call.ref.effect_id,
        events=(NewEvent(stream, Counted(amount=call.ref.position, note="done")),),
    )


def leave_trace(folder: Path, call: JobCall) -> int:
    """Leave a file for one attempt at a job; returns how many there are now."""
    position = call.ref.position
    (folder / f"ran-{position}-{os.getpid()}-{secrets.token_hex(4)}").touch()
    return len(list(folder.glob(f"ran-{position}-*")))


class Bench:
    """One test's log, Valkey namespace and folder of traces."""

    def __init__(self, store: EventStore, pool: Pool, redis_url: str, folder: Path) -> None:
        self.store = store
        self.pool = pool
        self.redis_url = redis_url
        self.folder = folder
        self.namespace = f"test-{secrets.token_hex(4)}"

    async def ask(self, job: str, times: int = 1) -> list[int]:
        """Commit events that ask for a job; returns their positions."""
        return [await self.append(Counted(amount=1, note=f"{ASK}{job}")) for _ in range(times)]

    async def append(self, event: Event, tenant: str = "t1") -> int:
        """Commit one event."""
        stream = NewEvent(f"{tenant}/asked/{secrets.token_hex(4)}", event)
        request = AppendRequest(
            tenant=tenant, command_id=secrets.token_hex(8), events=(stream,), correlation="req_1"
        )
        return (await self.store.log.append(request)).first_position

    async def effects(self) -> list[int]:
        """Return the positions whose jobs left their event, in order, repeats included."""
        found = [e.event.amount async for e in self.store.log.read(types=[Counted.TYPE]) if is_effect(e)]
        return sorted(found)

    def attempts(self, position: int | str = "*") -> list[str]:
        """Return the traces of attempts at a job."""
        return [path.name for path in self.folder.glob(f"ran-{position}-*")]

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Read job tables."""
        dsn = self.store.endpoint.system_dsn
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
            return await (await conn.execute(sql.encode())).fetchall()

    async def until_effects(self, positions: list[int], within_s: float = 20.0) -> None:
        """Wait until the jobs of these positions left their events."""

        async def there() -> bool:
            return set(positions) <= set(await self.effects())

        await until(there, f"effects of {positions}", within_s)

    async def all_handed(self, jobs: int) -> None:
        """Wait until so many jobs were handed to the queue."""

        async def there() -> bool:
            return await self.rows("SELECT count(*) FROM inbox") == [(jobs,)]

        await until(there, f"{jobs} jobs handed over")

    @asynccontextmanager
    async def working(self, jobs: list[Job] | None = None, **more: Any) -> AsyncIterator[None]:
        """Run a worker in this process while the block runs."""
        stop = asyncio.Event()
        task = asyncio.create_task(
            run_worker(
                redis_url=self.redis_url,
                jobs=traced_jobs(self.store, self.folder) if jobs is None else jobs,
                tail=self.store.tail,
                pool=self.pool,
                stop=stop,
                namespace=self.namespace,
                **more,
            )
        )
        try:
            yield
        finally:
            stop.set()
            await task

    @contextmanager
    def process(self, role: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
        """Run a background process while the block runs; see `background_process` for the roles."""
        config = {
            "role": role,
            "endpoint": asdict(self.store.endpoint),
            "keys": str(self.folder.parent / "keys"),
            "redis_url": self.redis_url,
            "namespace": self.namespace,
            "folder": str(self.folder),
            **more,
        }
        command = [sys.executable, "-m", "tests.infrastructure.jobs.background_process"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdin
        process.stdin.write(json.dumps(config))
        process.stdin.close()
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)


def is_effect(envelope: Envelope[Any]) -> bool:
    """Tell an effect from what asked for it."""
    return bool(envelope.event.note == "done")


@asynccontextmanager
async def open_bench(database: PostgresEndpoint, tmp_path: Path, redis_url: str) -> AsyncIterator[Bench]:
    """Open a bench on a fresh database."""
    folder = tmp_path / "traces"
    folder.mkdir()
    async with (
        open_store(database, tmp_path / "keys", bench_registry()) as store,
        job_pool(database.system_dsn, size=12) as pool,
    ):
        yield Bench(store, pool, redis_url, folder)


@asynccontextmanager
async def going(work: Awaitable[Any]) -> AsyncIterator[None]:
    """Run something endless while the block runs."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        await end(task)


def exists(path: Path) -> Callable[[], Awaitable[bool]]:
    """Return the condition that a file exists."""

    async def there() -> bool:
        return await asyncio.to_thread(path.exists)

    return there


async def ended(process: subprocess.Popen[str], within_s: float = 30.0) -> int:
    """Wait until a process has ended and return its status; -9 when it was killed."""
    return await asyncio.to_thread(process.wait, within_s)


def kill(process: subprocess.Popen[str]) -> None:
    """End a process as a crash does."""
    process.send_signal(signal.SIGKILL)
    process.wait(30)
