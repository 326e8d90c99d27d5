"""Verification names the first bad position however the log was altered, and the log resists altering."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from infrastructure.event_store.anchors import Anchor
from infrastructure.event_store.verify import Report, verify
from tests.event_store import EventStore, append_request


async def filled(store: EventStore, count: int = 60) -> None:
    await asyncio.gather(*(store.log.append(append_request(n)) for n in range(count)))


async def report_of(store: EventStore, anchors: tuple[Anchor, ...] = ()) -> Report:
    async with await psycopg.AsyncConnection.connect(store.endpoint.system_dsn, autocommit=True) as conn:
        return await verify(conn, anchors)


def as_superuser(store: EventStore, *statements: str) -> None:
    """Do what only somebody with the superuser's password and intent can do."""
    with psycopg.connect(store.endpoint.admin_dsn) as conn:
        conn.execute("ALTER TABLE events DISABLE TRIGGER append_only")
        for statement in statements:
            conn.execute(statement.encode())
        conn.execute("ALTER TABLE events ENABLE ALWAYS TRIGGER append_only")


async def test_an_untouched_log_verifies(store: EventStore) -> None:
    await filled(store)
    report = await report_of(store)
    assert (report.ok, report.events, report.head, report.first_bad_position) == (True, 60, 60, None)


@pytest.mark.parametrize(
    "change",
    [
        "data = data || ' '",
        "actor = 'key/other'",
        "recorded_at = recorded_at + interval '1 microsecond'",
        "tenant = 't9'",
        "command_id = 'x'",
        "correlation = 'x'",
        "schema_version = 2",
        "type = 'test.other'",
        "key_ids = '{k}'",
        "version = 7",
        "leaf_hash = sha256('x')",
        "chain_hash = sha256('x')",
    ],
)
async def test_the_altered_position_is_named(store: EventStore, change: str) -> None:
    await filled(store)
    as_superuser(store, f"UPDATE events SET {change} WHERE position = 17")
    report = await report_of(store)
    assert (report.ok, report.first_bad_position) == (False, 17)


async def test_a_missing_event_is_named(store: EventStore) -> None:
    await filled(store)
    as_superuser(store, "DELETE FROM events WHERE position = 30")
    assert (await report_of(store)).first_bad_position == 30


async def test_a_cut_tail_shows_even_when_the_head_was_moved_back(store: EventStore) -> None:
    await filled(store)
    anchor = Anchor(60, await chain_at(store, 60), datetime.now(UTC))
    as_superuser(
        store,
        "DELETE FROM events WHERE position > 50",
        "UPDATE log_head SET position = 50, chain = (SELECT chain_hash FROM events WHERE position = 50)",
        "DELETE FROM streams s WHERE NOT EXISTS (SELECT FROM events e WHERE e.stream_id = s.stream_id)",
        "DELETE FROM commands WHERE first_position > 50",
    )
    assert (await report_of(store)).ok
    report = await report_of(store, (anchor,))
    assert report.first_bad_position == 51
    assert "anchored" in report.problems[0].detail


async def test_a_counter_that_differs_from_the_replay_is_found(store: EventStore) -> None:
    await filled(store)
    with psycopg.connect(store.endpoint.admin_dsn) as conn:
        conn.execute("UPDATE streams SET version = 5 WHERE stream_id = 't1/counter/3'")
    report = await report_of(store)
    assert not report.ok
    assert "inline counter 'streams': stream t1/counter/3: counter 5, log 1" in report.problems[0].detail


async def test_verification_runs_beside_writers(store: EventStore) -> None:
    await filled(store)
    writing = asyncio.gather(*(store.log.append(append_request(1000 + n)) for n in range(200)))
    report = await report_of(store)
    await writing
    assert report.ok


@pytest.mark.parametrize("dsn", ["app_dsn", "system_dsn", "owner_dsn", "admin_dsn"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET actor = 'x'",
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE events_p00000 SET actor = 'x'",
        "DELETE FROM events_p00000",
        "TRUNCATE events_p00000",
        "SET session_replication_role = replica; DELETE FROM events",
    ],
)
async def test_nobody_changes_the_log_by_accident(store: EventStore, dsn: str, statement: str) -> None:
    await filled(store, 5)
    with psycopg.connect(getattr(store.endpoint, dsn), autocommit=True) as conn:
        conn.execute("SELECT set_config('aios.tenant', 't1', false)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())
    assert (await report_of(store)).ok


async def chain_at(store: EventStore, position: int) -> str:
    async with await psycopg.AsyncConnection.connect(store.endpoint.system_dsn) as conn:
        cursor = await conn.execute("SELECT chain_hash FROM events WHERE position = %s", [position])
        return bytes((await cursor.fetchall())[0][0]).hex()
