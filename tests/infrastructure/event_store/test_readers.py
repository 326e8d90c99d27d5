"""Tailing, live state, snapshots and the library's recorder on the real store."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate as LibraryAggregate
from eventsourcing.domain import event
from eventsourcing.persistence import IntegrityError

from domain.kernel.events import EventRegistry, UnknownEvent
from infrastructure.event_store.live import LiveState
from infrastructure.event_store.recorder import LibraryEvent, LogRecorder
from infrastructure.event_store.tail import Doorbell
from tests.event_store import Counted, Counter, EventStore, append_request, open_store, test_registry


async def test_a_tailing_reader_misses_nothing_of_eight_writers(store: EventStore, tmp_path: Path) -> None:
    seen: list[int] = []

    async def tail() -> None:
        async with aclosing(store.tail.follow(0, limit=97)) as batches:
            async for batch in batches:
                seen.extend(e.position for e in batch.events)
                if len(seen) >= 1600:
                    return

    async def write(number: int) -> None:
        async with open_store(store.endpoint, tmp_path / "keys") as own:
            for n in range(200):
                await own.log.append(append_request(number * 1000 + n))

    reading = asyncio.create_task(tail())
    await asyncio.gather(*(write(n) for n in range(8)))
    await asyncio.wait_for(reading, 30)
    assert seen == list(range(1, 1601))


async def test_a_filtered_reader_advances_over_what_it_does_not_want(store: EventStore) -> None:
    await asyncio.gather(*(store.log.append(append_request(n)) for n in range(10)))
    batch = await store.tail.read_batch(0, 100, ["test.person_noted"])
    assert (batch.events, batch.upto, batch.head) == ([], 10, 10)


async def test_an_unknown_type_arrives_as_such_and_stops_nothing(store: EventStore, tmp_path: Path) -> None:
    await store.log.append(append_request(1))
    async with open_store(store.endpoint, tmp_path / "keys", EventRegistry()) as other:
        [envelope] = (await other.reader.read_batch(0, 10)).events
    assert isinstance(envelope.event, UnknownEvent)
    assert envelope.event.problem == "unknown type"


async def test_live_state_is_equal_in_every_process_when_a_command_returns(
    store: EventStore, tmp_path: Path
) -> None:
    sums = [0, 0]

    def fold(index: int):
        def add(envelope) -> None:
            sums[index] += envelope.event.amount

        return add

    types = frozenset({Counted.TYPE})
    async with open_store(store.endpoint, tmp_path / "keys", control_types=types) as writer:
        bells = [Doorbell(store.endpoint.system_dsn, "aios_control") for _ in sums]
        states = [LiveState(store.reader, b, [Counted.TYPE], [fold(i)]) for i, b in enumerate(bells)]
        for bell, state in zip(bells, states, strict=True):
            await bell.start()
            await state.start()
        for n in range(1, 21):
            stored = await writer.log.append(append_request(n))
            assert await states[0].everywhere(stored.last_position)
            assert sums == [n * (n + 1) // 2] * 2
        for bell, state in zip(bells, states, strict=True):
            await state.close()
            await bell.close()


async def test_a_long_stream_is_loaded_from_its_snapshot(store: EventStore) -> None:
    stream = "t1/counter/long"
    for n in range(25):
        await store.log.append(append_request(n, stream=stream, expected=n))
    assert (await store.log.load(Counter, stream)).total == 300
    for _ in range(100):
        await asyncio.sleep(0.02)
        with psycopg.connect(store.endpoint.system_dsn) as conn:
            rows = conn.execute("SELECT version, state FROM snapshots").fetchall()
        if rows:
            break
    assert rows[0][0] == 25
    assert b"300" not in bytes(rows[0][1])
    await store.log.append(append_request(99, stream=stream, expected=25))
    again = await store.log.load(Counter, stream)
    assert (again.total, again.version) == (399, 26)
    old = await store.log.load(Counter, stream, until=3)
    assert (old.total, old.version) == (3, 3)


class Dog(LibraryAggregate):
    """One of the library's own aggregates, with its decorator."""

    @event("Registered")
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @event("TrickAdded")
    def add_trick(self, trick: str) -> None:
        self.tricks.append(trick)


async def test_the_librarys_applications_save_through_the_store(store: EventStore, tmp_path: Path) -> None:
    registry = test_registry()
    registry.register([LibraryEvent])
    async with open_store(store.endpoint, tmp_path / "keys", registry) as opened:
        recorder = LogRecorder(opened.log, opened.reader, asyncio.get_running_loop(), "t1")
        await asyncio.to_thread(use_library, recorder)
        assert await opened.log.head() == 3


def use_library(recorder: LogRecorder) -> None:
    app: Application[UUID] = Application()
    app.recorder = recorder
    app.events.recorder = recorder
    dog = Dog(name="Fido")
    app.save(dog)
    dog.add_trick("roll over")
    dog.add_trick("play dead")
    app.save(dog)
    copy: Dog = app.repository.get(dog.id)
    assert copy.tricks == ["roll over", "play dead"]
    stale: Dog = app.repository.get(dog.id, version=1)
    stale.add_trick("late")
    with pytest.raises(IntegrityError, match="version 3, not 1"):
        app.save(stale)
    assert [n.id for n in recorder.select_notifications(1, 10)] == [1, 2, 3]
    assert recorder.select_events(uuid4()) == []
