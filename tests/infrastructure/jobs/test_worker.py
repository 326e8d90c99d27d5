"""From an event to a job that is done: enqueue, perform once, try again, give up."""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog

from infrastructure.jobs.broker import RedisQueue, build_broker
from infrastructure.jobs.inbox import Inbox
from infrastructure.jobs.job import Job, JobCall, JobRef, Outcome
from infrastructure.jobs.locks import AdvisoryLocks
from infrastructure.jobs.outbox import Outbox
from tests.infrastructure.jobs.bench import ROUTES, Bench, going, traced_jobs
from tests.waiting import until

STATES = "SELECT job, position, state, error FROM inbox ORDER BY position"


def queue_of(bench: Bench) -> RedisQueue:
    return RedisQueue(build_broker(bench.redis_url, namespace=bench.namespace))


def outbox_of(bench: Bench) -> Outbox:
    return Outbox(bench.store.endpoint.system_dsn, bench.store.tail, queue_of(bench), ROUTES)


async def test_a_committed_event_becomes_a_job_that_is_done_once(bench: Bench) -> None:
    # given
    positions = await bench.ask("count", times=5)
    # when
    async with going(outbox_of(bench).run()), bench.working():
        await bench.until_effects(positions)
        positions += await bench.ask("count")
        await bench.until_effects(positions)
    # then
    assert await bench.effects() == positions
    assert [row[2] for row in await bench.rows(STATES)] == ["done"] * 6
    assert len(bench.attempts()) == 6


async def test_a_job_that_is_enqueued_twice_is_done_once(bench: Bench) -> None:
    # given
    [position] = await bench.ask("count")
    queue = queue_of(bench)
    await queue.enqueue([JobRef("count", position)] * 3)
    seen: Counter[Outcome] = Counter()
    # when
    async with bench.working(observe=lambda _job, outcome: seen.update([outcome])):

        async def all_seen() -> bool:
            return seen.total() == 3

        await until(all_seen, "three messages are dealt with")
    # then
    assert await bench.effects() == [position]
    assert len(bench.attempts(position)) == 1
    assert seen["done"] == 1
    assert seen["repeated"] + seen["busy"] == 2


async def test_a_job_that_fails_is_tried_again(bench: Bench) -> None:
    [position] = await bench.ask("stumble")
    seen: list[tuple[str, Outcome]] = []
    async with going(outbox_of(bench).run()), bench.working(observe=lambda *found: seen.append(found)):
        await bench.until_effects([position])
    assert seen == [("stumble", "retried"), ("stumble", "done")]
    assert len(bench.attempts(position)) == 2


async def test_a_job_is_given_up_in_the_end_and_says_so_without_private_words(bench: Bench) -> None:
    [position] = await bench.ask("never")
    async with going(outbox_of(bench).run()), bench.working():

        async def given_up() -> bool:
            return ("never", position, "failed", "ValueError") in await bench.rows(STATES)

        await until(given_up, "the job is given up")
    assert len(bench.attempts(position)) == 3


async def test_a_retry_keeps_no_private_words_in_redis(bench: Bench) -> None:
    # given a job that fails, and whose retry is far away
    [position] = await bench.ask("stumble")
    broker = build_broker(bench.redis_url, namespace=bench.namespace)
    [job] = [job for job in traced_jobs(bench.store, bench.folder) if job.name == "stumble"]
    slow = Job(name="stumble", handler=job.handler, shortest_pause_s=600, longest_pause_s=900)
    await RedisQueue(broker).enqueue([JobRef("stumble", position)])
    # when
    waiting = f"{bench.namespace}:jobs.DQ.msgs"
    async with bench.working([slow]):

        async def waits() -> bool:
            return bool(await asyncio.to_thread(broker.client.hlen, waiting))

        await until(waits, "the retry waits")
        stored = await asyncio.to_thread(broker.client.hvals, waiting)
    # then
    text = b"".join(stored).decode()
    assert '"position":' in text
    assert "ValueError" in text
    assert "private words" not in text


async def test_a_job_knows_its_event_and_the_request_that_caused_it(bench: Bench) -> None:
    # given
    [position] = await bench.ask("look")
    seen: list[tuple[int, str, dict[str, object]]] = []

    async def look(call: JobCall) -> None:
        seen.append((call.envelope.position, call.envelope.tenant, structlog.contextvars.get_contextvars()))

    # when
    async with going(outbox_of(bench).run()), bench.working([Job(name="look", handler=look)]):

        async def looked() -> bool:
            return bool(seen)

        await until(looked, "the job ran")
    # then
    context = {"job": "look", "job_position": position, "request_id": "req_1"}
    assert seen == [(position, "t1", context)]


async def test_a_job_that_takes_too_long_is_cut_off_and_counts_as_failed(bench: Bench) -> None:
    async def sleep(call: JobCall) -> None:
        await asyncio.sleep(60)

    [position] = await bench.ask("sleep")
    job = Job(name="sleep", handler=sleep, time_limit_s=0.1, max_retries=0)
    async with going(outbox_of(bench).run()), bench.working([job]):

        async def given_up() -> bool:
            return ("sleep", position, "failed", "TimeoutError") in await bench.rows(STATES)

        await until(given_up, "the job is given up")


async def test_a_lock_has_one_holder_and_is_free_after(bench: Bench) -> None:
    locks = AdvisoryLocks(bench.pool)
    async with locks.try_hold("a") as first, locks.try_hold("a") as second, locks.try_hold("b") as other:
        assert (first, second, other) == (True, False, True)
    async with locks.try_hold("a") as again:
        assert again


async def test_done_is_final(bench: Bench) -> None:
    inbox, ref = Inbox(bench.pool), JobRef("count", 1)
    assert not await inbox.is_done(ref)
    await inbox.failed(ref, "first")
    assert not await inbox.is_done(ref)
    await inbox.done(ref)
    await inbox.failed(ref, "late")
    assert await inbox.is_done(ref)
    assert await bench.rows(STATES) == [("count", 1, "done", None)]
