"""Webhooks from event to a real receiver: signed, tried again, given up, never where it is forbidden."""

from __future__ import annotations

import json

from domain.usage.events import SoftCapReached
from domain.webhooks.events import DeliveryRequested
from tests.fakes.webhook_receiver import receiving
from tests.infrastructure.jobs import webhooks
from tests.infrastructure.jobs.bench import Bench
from tests.waiting import until

QUICK = (0.05, 0.05, 0.05)


async def until_ended(bench: Bench, deliveries: int = 1) -> None:
    async def there() -> bool:
        return sum(each.state != "waiting" for each in await webhooks.attempts(bench)) >= deliveries

    await until(there, f"{deliveries} deliveries ended")


async def test_an_event_is_told_once_and_signed_so_that_the_secret_verifies_it(bench: Bench) -> None:
    async with receiving() as receiver:
        await webhooks.create(bench, receiver.url)
        async with webhooks.delivering(bench, QUICK):
            position = await webhooks.cross(bench)
            await until_ended(bench)
        (got,) = receiver.received
    assert got.verifies(webhooks.SECRET)
    assert not got.verifies("whsec_" + "A" * 44)
    body = json.loads(got.body)
    assert (body["type"], body["data"]["position"], body["data"]["used"]) == (
        SoftCapReached.TYPE,
        position,
        80,
    )
    assert got.headers["content-type"] == "application/json"
    (attempt,) = await webhooks.attempts(bench)
    assert (attempt.message_id, attempt.state, attempt.status) == (got.message_id, "delivered", 204)


async def test_refusals_are_tried_again_under_the_same_id_and_the_same_body(bench: Bench) -> None:
    async with receiving() as receiver:
        receiver.answers = [500, 302]
        await webhooks.create(bench, receiver.url)
        async with webhooks.delivering(bench, QUICK):
            await webhooks.cross(bench)
            await until_ended(bench)
        got = receiver.received
    assert len({each.message_id for each in got}) == len({each.body for each in got}) == 1
    assert len(got) == 3
    assert all(each.verifies(webhooks.SECRET) for each in got)
    assert [(each.number, each.status, each.state) for each in await webhooks.attempts(bench)] == [
        (1, 500, "waiting"),
        (2, 302, "waiting"),
        (3, 204, "delivered"),
    ]


async def test_what_never_arrives_is_given_up_in_the_end(bench: Bench) -> None:
    await webhooks.create(bench, "http://127.0.0.1:9/nobody")
    async with webhooks.delivering(bench, QUICK):
        await webhooks.cross(bench)
        await until_ended(bench)
    found = await webhooks.attempts(bench)
    assert [each.state for each in found] == ["waiting"] * 3 + ["failed"]
    assert {each.outcome for each in found} == {"unreachable"}


async def test_an_endpoint_that_is_gone_says_so_once(bench: Bench) -> None:
    async with receiving() as receiver:
        receiver.answers = [410]
        await webhooks.create(bench, receiver.url)
        async with webhooks.delivering(bench, QUICK):
            await webhooks.cross(bench)
            await until_ended(bench)
        assert len(receiver.received) == 1
    assert [each.state for each in await webhooks.attempts(bench)] == ["failed"]


async def test_each_endpoint_has_its_own_delivery_and_only_what_it_asked_for(bench: Bench) -> None:
    async with receiving() as slow, receiving() as quick, receiving() as other:
        slow.answers = [503, 503, 503, 503]
        await webhooks.create(bench, slow.url, webhook_id="wh_slow")
        await webhooks.create(bench, quick.url, [SoftCapReached.TYPE], webhook_id="wh_quick")
        async with webhooks.delivering(bench, QUICK):
            await webhooks.cross(bench)
            await until_ended(bench, 2)
            await webhooks.create(bench, other.url, webhook_id="wh_late")
        assert [len(each.received) for each in (slow, quick, other)] == [4, 1, 0]
    asked = [e.event async for e in bench.store.log.read(types=[DeliveryRequested.TYPE])]
    assert {each.webhook_id for each in asked} == {"wh_slow", "wh_quick"}


async def test_a_removed_endpoint_gets_nothing_more(bench: Bench) -> None:
    async with receiving() as receiver:
        receiver.answers = [500]
        await webhooks.create(bench, receiver.url)
        async with webhooks.delivering(bench, (3600,)):
            await webhooks.cross(bench)

            async def once() -> bool:
                return len(await webhooks.attempts(bench)) == 1

            await until(once, "one attempt")
        await webhooks.remove(bench)
        async with bench.pool.connection() as conn:  # an hour later
            await conn.execute("UPDATE inbox SET not_before = now() WHERE not_before IS NOT NULL")
        async with webhooks.delivering(bench, (0.0,)):
            await webhooks.cross(bench)
        assert len(receiver.received) == 1


async def test_private_addresses_are_not_called_where_egress_is_public(bench: Bench) -> None:
    async with receiving() as receiver:
        await webhooks.create(bench, receiver.url)
        async with webhooks.delivering(bench, (), private=False):
            await webhooks.cross(bench)
            await until_ended(bench)
        assert receiver.received == []
    (attempt,) = await webhooks.attempts(bench)
    assert (attempt.outcome, attempt.state) == ("forbidden", "failed")
    assert "AIOS_EGRESS=public" in attempt.detail


async def test_what_is_due_later_waits_in_the_inbox_and_not_in_the_queue(bench: Bench) -> None:
    async with receiving() as receiver:
        receiver.answers = [500]
        await webhooks.create(bench, receiver.url)
        async with webhooks.delivering(bench, (3600,)):
            await webhooks.cross(bench)

            async def postponed() -> bool:
                sql = "SELECT count(*) FROM inbox WHERE not_before > now() + interval '59 minutes'"
                return await bench.rows(sql) == [(1,)]

            await until(postponed, "the delivery is postponed")
        assert len(receiver.received) == 1
