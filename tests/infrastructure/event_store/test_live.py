"""Which processes a command waits for: those that live, and those alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from infrastructure.event_store.live import LiveState
from infrastructure.event_store.tail import Doorbell
from tests.event_store import Counted, EventStore, append_request, open_store

CONTROL = frozenset({Counted.TYPE})


@pytest.fixture
async def writer(store: EventStore, tmp_path: Path) -> AsyncIterator[EventStore]:
    async with open_store(store.endpoint, tmp_path / "keys", control_types=CONTROL) as opened:
        yield opened


@asynccontextmanager
async def a_process(store: EventStore) -> AsyncIterator[tuple[LiveState, Doorbell]]:
    bell = Doorbell(store.endpoint.system_dsn, "aios_control")
    state = LiveState(store.reader, bell, [Counted.TYPE], [])
    await bell.start()
    await state.start()
    try:
        yield state, bell
    finally:
        await state.close()
        await bell.close()


def nodes(store: EventStore) -> set[str]:
    with psycopg.connect(store.endpoint.system_dsn) as conn:
        return {row[0] for row in conn.execute("SELECT node_id FROM nodes")}


def cut_session(store: EventStore, bell: Doorbell) -> None:
    with psycopg.connect(store.endpoint.admin_dsn, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
            [bell.name],
        )


async def test_a_process_that_was_killed_is_waited_for_no_longer(
    store: EventStore, writer: EventStore
) -> None:
    with psycopg.connect(store.endpoint.system_dsn) as conn:
        conn.execute("INSERT INTO nodes VALUES ('killed', 0, now())")
    async with a_process(store) as (state, _):
        stored = await writer.log.append(append_request(1))

        assert await state.everywhere(stored.last_position, timeout_s=5.0)


async def test_a_process_that_lives_but_does_not_answer_is_waited_for(
    store: EventStore, writer: EventStore
) -> None:
    mute = Doorbell(store.endpoint.system_dsn, "aios_control")
    await mute.start()
    with psycopg.connect(store.endpoint.system_dsn) as conn:
        conn.execute("INSERT INTO nodes VALUES (%s, 0, now())", [mute.name])
    async with a_process(store) as (state, _):
        stored = await writer.log.append(append_request(1))

        assert not await state.everywhere(stored.last_position, timeout_s=0.2)
    await mute.close()


async def test_a_process_without_a_session_decides_nothing_until_it_has_read_the_log_again(
    store: EventStore,
) -> None:
    async with a_process(store) as (state, bell):
        assert state.fresh
        first = bell.session
        cut_session(store, bell)
        seen = set()
        while bell.session in {0, first} or not state.fresh:
            seen.add(state.fresh)
            await asyncio.sleep(0)
        assert False in seen
        assert bell.session > first


async def test_a_process_that_only_sends_commands_is_none_that_others_wait_for(
    store: EventStore, writer: EventStore
) -> None:
    command_line = LiveState(
        store.reader, Doorbell(store.endpoint.system_dsn, "aios_control"), [Counted.TYPE], []
    )
    stored = await writer.log.append(append_request(1))

    assert await command_line.everywhere(stored.last_position)

    assert nodes(store) == set()


async def test_rows_of_processes_that_died_are_swept_at_the_next_start(store: EventStore) -> None:
    with psycopg.connect(store.endpoint.system_dsn) as conn:
        conn.execute("INSERT INTO nodes VALUES ('killed', 0, now() - interval '1 hour')")
    async with a_process(store) as (_, bell):
        assert nodes(store) == {bell.name}
    assert nodes(store) == set()
