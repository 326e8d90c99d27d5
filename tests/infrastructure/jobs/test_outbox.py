"""The outbox: in order, by one process at a time, and again for what got lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from domain.kernel.errors import Unavailable
from infrastructure.jobs.inbox import Inbox
from infrastructure.jobs.job import JobRef
from infrastructure.jobs.outbox import Outbox, OutboxPace
from tests.event_store import Counted
from tests.infrastructure.jobs.bench import ROUTES, Bench, going
from tests.waiting import until

FAST = OutboxPace(standby_s=0.05, sweep_s=0.05, idle_move_s=0.05)
CURSOR = "SELECT position, queue_id FROM outbox_cursors WHERE name = 'jobs'"


class MemoryQueue:
    """A queue that a test looks into; it can be away, and it can be started anew."""

    def __init__(self) -> None:
        self.refs: list[JobRef] = []
        self.life = "first"
        self.away = False

    async def enqueue(self, refs: Sequence[JobRef]) -> None:
        if self.away:
            raise Unavailable("queue", "the queue is away")
        self.refs += refs

    async def server_id(self) -> str:
        if self.away:
            raise Unavailable("queue", "the queue is away")
        return self.life

    async def holds(self, *positions: int) -> None:
        """Wait until exactly these positions were enqueued, repeats included."""

        async def there() -> bool:
            return sorted(ref.position for ref in self.refs) == sorted(positions)

        await until(there, f"{positions} enqueued")


def outbox(bench: Bench, queue: MemoryQueue, routes: Any = ROUTES) -> Outbox:
    return Outbox(bench.store.endpoint.system_dsn, bench.store.tail, queue, routes, pace=FAST)


async def cursor_at(bench: Bench, position: int) -> None:
    """Wait until the durable cursor is at a position."""

    async def there() -> bool:
        rows = await bench.rows(CURSOR)
        return bool(rows) and rows[0][0] == position

    await until(there, f"the cursor at {position}")


async def test_jobs_are_enqueued_in_log_order_with_what_caused_them(bench: Bench) -> None:
    queue = MemoryQueue()
    positions = await bench.ask("count", times=3)
    await bench.append(Counted(amount=1, note="asks for nothing"))
    async with going(outbox(bench, queue).run()):
        await queue.holds(*positions)
        await cursor_at(bench, 4)
    assert queue.refs == [JobRef("count", position, "req_1") for position in positions]


async def test_two_outboxes_enqueue_each_job_once_and_take_over_from_each_other(bench: Bench) -> None:
    queue = MemoryQueue()
    async with going(outbox(bench, queue).run()):
        async with going(outbox(bench, queue).run()):
            first = await bench.ask("count", times=20)
            await queue.holds(*first)
            await cursor_at(bench, first[-1])  # who ends between enqueue and move repeats the enqueue
        second = await bench.ask("count", times=5)
        await queue.holds(*first, *second)
        await cursor_at(bench, second[-1])
    async with going(outbox(bench, queue).run()):
        third = await bench.ask("count")
        await queue.holds(*first, *second, *third)


async def test_a_queue_that_is_away_loses_nothing(bench: Bench) -> None:
    queue = MemoryQueue()
    async with going(outbox(bench, queue).run()):
        await queue.holds()
        queue.away = True
        positions = await bench.ask("count", times=3)
        await asyncio.sleep(0.2)
        queue.away = False
        await queue.holds(*positions)


async def test_what_is_not_done_in_time_is_enqueued_again(bench: Bench) -> None:
    # given two jobs of which one was done
    queue = MemoryQueue()
    done, lost = await bench.ask("count", times=2)
    async with going(outbox(bench, queue).run()):
        await cursor_at(bench, lost)
        await Inbox(bench.pool).done(JobRef("count", done))
        # when time passes
        async with bench.pool.connection() as conn:
            await conn.execute("UPDATE inbox SET handed_at = handed_at - interval '3 minutes'")
        # then
        await queue.holds(done, lost, lost)
        rows = await bench.rows("SELECT deliveries FROM inbox ORDER BY position")
        assert rows == [(1,), (2,)]
        # and the next time comes later
        async with bench.pool.connection() as conn:
            await conn.execute("UPDATE inbox SET handed_at = handed_at - interval '3 minutes'")
        await asyncio.sleep(0.3)
        await queue.holds(done, lost, lost)


async def test_a_queue_that_was_started_anew_gets_everything_that_is_not_done(bench: Bench) -> None:
    queue = MemoryQueue()
    done, lost = await bench.ask("count", times=2)
    async with going(outbox(bench, queue).run()):
        await cursor_at(bench, lost)
        await Inbox(bench.pool).done(JobRef("count", done))
        queue.refs.clear()
        queue.life = "second"
        await queue.holds(lost)
        await asyncio.sleep(0.2)
        await queue.holds(lost)
    assert (await bench.rows(CURSOR))[0][1] == "second"


async def test_an_event_that_cannot_be_routed_stops_nothing(bench: Bench) -> None:
    def sometimes(envelope: Any) -> tuple[str, ...]:
        if envelope.event.note == "do:fail":
            raise AttributeError("an older shape")
        return ("count",)

    queue = MemoryQueue()
    await bench.ask("fail")
    positions = await bench.ask("count")
    async with going(outbox(bench, queue, {Counted.TYPE: sometimes}).run()):
        await queue.holds(*positions)
