"""A worker dies while an endpoint has yet to answer: the message comes again under the same id, once."""

from __future__ import annotations

import pytest

from tests.fakes.webhook_receiver import receiving
from tests.infrastructure.jobs import webhooks
from tests.infrastructure.jobs.bench import Bench, going, kill
from tests.waiting import until


@pytest.mark.slow
async def test_a_killed_workers_delivery_is_repeated_under_the_same_id_and_no_more_than_that(
    bench: Bench,
) -> None:
    async with receiving() as receiver, going(webhooks.outbox_of(bench).run()):
        receiver.gate.clear()
        await webhooks.create(bench, receiver.url)
        with bench.process("webhooks") as dying:
            await webhooks.cross(bench)

            async def reached() -> bool:
                return len(receiver.received) == 1

            await until(reached, "the first worker's request", 60.0)
            kill(dying)
        receiver.gate.set()
        with bench.process("webhooks"):

            async def delivered() -> bool:
                return any(each.state == "delivered" for each in await webhooks.attempts(bench))

            await until(delivered, "the second worker's delivery", 60.0)
        got = receiver.received
    assert len(got) == 2
    assert len({each.message_id for each in got}) == 1
    assert all(each.verifies(webhooks.SECRET) for each in got)
    assert [each.number for each in await webhooks.attempts(bench)] == [1]
