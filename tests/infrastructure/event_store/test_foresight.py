"""Batches judged on what their process expects: one round trip, and the database has the last word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from psycopg import AsyncConnection

from domain.audit.chain import GENESIS
from domain.kernel.errors import VersionConflict
from infrastructure.event_store.batch import Batch, Known
from infrastructure.event_store.foresight import Foresight
from infrastructure.event_store.prepared import prepare
from infrastructure.event_store.verify import verify
from infrastructure.keyring.keyring import DataKey, Scope
from tests.event_store import EventStore, append_request, open_store


@pytest.fixture
async def other(store: EventStore, tmp_path: Path) -> AsyncIterator[EventStore]:
    """A second process's view of the same log."""
    async with open_store(store.endpoint, tmp_path / "keys") as opened:
        yield opened


async def test_two_writers_that_take_turns_leave_a_gapless_log(store: EventStore, other: EventStore) -> None:
    for turn in range(12):
        writer = other if turn % 3 == 2 else store
        done = await writer.log.append(append_request(turn, stream="t1/counter/shared", expected=turn))
        assert done.first_position == turn + 1
    assert await positions(store) == list(range(1, 13))


async def test_writers_at_once_store_everything_once_and_the_chain_holds(
    store: EventStore, other: EventStore
) -> None:
    await asyncio.gather(
        *(
            (store, other)[n % 2].log.append(append_request(n, stream=f"t1/counter/{n % 7}"))
            for n in range(400)
        )
    )
    assert await positions(store) == list(range(1, 401))
    async with await AsyncConnection.connect(store.endpoint.system_dsn, autocommit=True) as conn:
        report = await verify(conn, [])
    assert report.ok, report


async def test_a_stream_that_another_process_began_goes_on_where_it_stands(
    store: EventStore, other: EventStore
) -> None:
    for number in range(3):
        await other.log.append(append_request(number, stream="t1/counter/plain"))
    await store.log.append(append_request(10))
    await store.log.append(append_request(11))
    await store.log.append(append_request(12, stream="t1/counter/plain"))
    events = await store.reader.read_stream("t1/counter/plain", 0, 10)
    assert [event.version for event in events] == [1, 2, 3, 4]


async def test_a_version_that_was_overtaken_is_a_conflict_for_its_command_alone(
    store: EventStore, other: EventStore
) -> None:
    await store.log.append(append_request(1, stream="t1/counter/a", expected=0))
    await other.log.append(append_request(2, stream="t1/counter/a", expected=1))
    answers = await asyncio.gather(
        store.log.append(append_request(3, stream="t1/counter/a", expected=1)),
        store.log.append(append_request(4)),
        return_exceptions=True,
    )
    assert isinstance(answers[0], VersionConflict)
    assert not isinstance(answers[1], BaseException)
    assert await positions(store) == [1, 2, 3]


async def test_a_command_that_another_process_stored_answers_with_its_first_positions(
    store: EventStore, other: EventStore
) -> None:
    await store.log.append(append_request(1))
    first = await other.log.append(append_request(2))
    await store.log.append(append_request(3))
    again = await store.log.append(append_request(2))
    assert (again.first_position, again.duplicate) == (first.first_position, True)


async def test_an_expectation_that_the_writers_own_batches_disprove_is_looked_up(store: EventStore) -> None:
    await store.log.append(append_request(1, stream="t1/counter/a", expected=0))
    with pytest.raises(VersionConflict, match="version 1, not 5"):
        await store.log.append(append_request(2, stream="t1/counter/a", expected=5))
    with pytest.raises(VersionConflict, match="version 0, not 2"):
        await store.log.append(append_request(3, stream="t1/counter/unknown", expected=2))
    assert await positions(store) == [1]


async def test_an_expectation_about_what_another_process_wrote_is_looked_up(
    store: EventStore, other: EventStore
) -> None:
    # given a writer that knows the head, not the stream
    await other.log.append(append_request(1, stream="t1/counter/a", expected=0))
    await store.log.append(append_request(2))
    # when it is told a version, wrong or right
    with pytest.raises(VersionConflict, match="version 1, not 5"):
        await store.log.append(append_request(3, stream="t1/counter/a", expected=5))
    await store.log.append(append_request(4))
    await store.log.append(append_request(5, stream="t1/counter/a", expected=1))
    # then
    events = await store.reader.read_stream("t1/counter/a", 0, 10)
    assert [event.version for event in events] == [1, 2]
    assert await positions(store) == [1, 2, 3, 4]


async def test_given_two_lanes_under_load_then_every_batch_finds_the_head_that_the_one_ahead_leaves(
    store: EventStore,
) -> None:
    await store.log.append(append_request(0, stream="t1/counter/first"))

    async def writer(number: int) -> None:
        for turn in range(10):
            stream = f"t1/counter/{number}"
            await store.log.append(append_request(1 + number + 200 * turn, stream=stream, expected=turn))

    await asyncio.gather(*(writer(number) for number in range(200)))
    assert store.committer.foresight.disproved == 0
    assert await store.reader.head() == 2001


async def test_what_was_sent_is_expected_next_and_a_wrong_guess_makes_cautious() -> None:
    request = append_request(1, stream="t1/counter/a")
    foresight, batch = Foresight(), [prepare(request, asyncio.get_running_loop())]
    assert foresight.expected(batch) is None

    judged = Batch(Known(7, GENESIS, 0, {}, {}, {}), 0, no_key, foreseen=True)
    judged.judge(batch[0])
    foresight.sent(judged)
    known = foresight.expected(batch)
    assert known is not None
    assert (known.position, known.chain, known.versions) == (8, judged.chain, {"t1/counter/a": 1})

    looks = []
    for _ in range(3):
        foresight.was_wrong()
        foresight.sent(judged)
        looks.append(0)
        while foresight.expected(batch) is None:
            looks[-1] += 1
    assert looks == [1, 2, 4]


def no_key(scope: Scope) -> DataKey:
    raise AssertionError(scope)


async def positions(store: EventStore) -> list[int]:
    batch = await store.reader.read_batch(0, 1000)
    return [event.position for event in batch.events]
