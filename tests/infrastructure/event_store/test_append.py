"""The group committer: order, versions, command ids, claims, and what a rejection leaves behind."""

from __future__ import annotations

import asyncio

import pytest

from application.ports import AppendRequest, Claim, NewEvent
from domain.kernel.errors import InvalidInput, NameTaken, VersionConflict
from tests.event_store import Counted, EventStore, append_request


async def test_positions_are_gapless_and_in_commit_order(store: EventStore) -> None:
    answers = await asyncio.gather(*(store.log.append(append_request(n)) for n in range(300)))
    assert sorted(a.first_position for a in answers) == list(range(1, 301))
    batch = await store.reader.read_batch(0, 1000)
    assert [e.position for e in batch.events] == list(range(1, 301))
    assert await store.log.head() == 300


async def test_one_of_fifty_writers_of_a_version_wins_and_bystanders_succeed(store: EventStore) -> None:
    rivals = [append_request(n, stream="t1/counter/hot", expected=0) for n in range(50)]
    bystanders = [append_request(100 + n) for n in range(50)]
    mixed = [r for pair in zip(rivals, bystanders, strict=True) for r in pair]
    answers = await asyncio.gather(*(store.log.append(r) for r in mixed), return_exceptions=True)
    outcomes = [isinstance(a, VersionConflict) for a in answers[0::2]]
    assert outcomes.count(False) == 1
    assert not any(isinstance(a, BaseException) for a in answers[1::2])
    assert await store.log.head() == 51


async def test_a_repeated_command_is_stored_once_and_answers_with_its_first_positions(
    store: EventStore,
) -> None:
    first = await store.log.append(append_request(1))
    again = await store.log.append(append_request(1))
    twins = await asyncio.gather(*(store.log.append(append_request(2)) for _ in range(5)))
    assert (again.first_position, again.duplicate) == (first.first_position, True)
    assert {t.first_position for t in twins} == {2}
    assert sum(not t.duplicate for t in twins) == 1
    assert await store.log.head() == 2


async def test_the_same_command_id_of_another_tenant_is_another_command(store: EventStore) -> None:
    await store.log.append(append_request(1, tenant="t1"))
    other = await store.log.append(append_request(1, tenant="t2"))
    assert not other.duplicate
    assert await store.log.head() == 2


async def test_a_command_of_several_events_is_stored_whole_or_not_at_all(store: EventStore) -> None:
    await store.log.append(append_request(1, stream="t1/counter/a"))
    request = AppendRequest(
        tenant="t1",
        command_id="both",
        events=(
            NewEvent("t1/counter/b", Counted(amount=1), 0),
            NewEvent("t1/counter/a", Counted(amount=1), 0),
        ),
    )
    with pytest.raises(VersionConflict, match="version 1, not 0"):
        await store.log.append(request)
    assert await store.log.head() == 1
    assert await store.reader.read_stream("t1/counter/b", 0, 10) == []


async def test_a_name_is_claimed_once_until_it_is_released(store: EventStore) -> None:
    def claim(command: str, holder: str, *, release: bool = False) -> AppendRequest:
        return append_request(1, command_id=command, claims=(Claim("provider", "acme", holder, release),))

    await store.log.append(claim("c1", "a"))
    with pytest.raises(NameTaken, match="provider 'acme' exists already"):
        await store.log.append(claim("c2", "b"))
    await store.log.append(claim("c3", "a"))
    await store.log.append(claim("c4", "a", release=True))
    await store.log.append(claim("c5", "b"))
    assert await store.log.head() == 4


async def test_two_claims_of_one_name_in_one_batch_have_one_winner(store: EventStore) -> None:
    rivals = [append_request(n, claims=(Claim("provider", "acme", f"holder-{n}"),)) for n in range(20)]
    answers = await asyncio.gather(*(store.log.append(r) for r in rivals), return_exceptions=True)
    assert sum(isinstance(a, NameTaken) for a in answers) == 19


async def test_text_that_postgresql_cannot_hold_is_refused_before_it_meets_a_batch(store: EventStore) -> None:
    with pytest.raises(InvalidInput, match="NUL"):
        await store.log.append(append_request(1, stream="t1/counter/\0"))
    with pytest.raises(InvalidInput, match="not of tenant"):
        await store.log.append(append_request(1, stream="t2/counter/1"))
    stored = await store.log.append(append_request(2))
    assert stored.first_position == 1


async def test_any_json_text_survives_the_log(store: EventStore) -> None:
    note = 'NUL \0, quotes ", \\ and emoji \U0001f9ea, {"_type_": 1, "_data_": 2, "$sealed": {}}'
    request = AppendRequest(
        tenant="t1", command_id="c", events=(NewEvent("t1/counter/1", Counted(amount=1, note=note)),)
    )
    await store.log.append(request)
    [envelope] = (await store.reader.read_batch(0, 10)).events
    assert envelope.event == Counted(amount=1, note=note)


async def test_a_caller_that_hangs_up_does_not_undo_or_block_its_append(store: EventStore) -> None:
    task = asyncio.create_task(store.log.append(append_request(1)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.log.append(append_request(2))
    assert await store.log.head() == 2
