"""Counters are part of the append: right in every scope, unit and time zone, and equal to the replay."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import psycopg

from domain.kernel.request_record import ShadowRecorded
from domain.usage.events import SoftCapReached
from domain.usage.quota import Scope
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from tests.infrastructure.quota.offices import offices, record, report, rows

USED = "SELECT kind, id, month, tokens, cost_micros FROM quota_used ORDER BY 1, 2, 3"


async def test_a_request_counts_in_every_scope_that_it_names(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 1) as (one,):
        await one.append("acme/requests/2026-11", record("r1", 7, cost=3, segment="vip", subject="s_1"), "r1")
        await one.append("acme/requests/2026-11", record("r1", 7, cost=3), "r1")
        await one.append("acme/requests/2026-11", record("r2", 5, attempts=()), "r2")
        await one.append("acme/requests/2026-11", record("r3", 5, operation="count_tokens"), "r3")
        assert await rows(database, USED) == [
            ("key", "k1", "2026-11", 7, 3),
            ("segment", "vip", "2026-11", 7, 3),
            ("tenant", "", "2026-11", 7, 3),
            ("user", "s_1", "2026-11", 7, 3),
            ("workspace", "default", "2026-11", 7, 3),
        ]
        assert (await report(database)).ok


async def test_a_shadow_counts_like_the_request_that_it_copies(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 1) as (one,):
        await one.append("acme/requests/2026-11", record("r1", 7, cost=3), "r1")
        copy = ShadowRecorded.of(record("r1_shadow", 5, cost=2), "r1")
        await one.append("acme/requests/2026-11", copy, "r1_shadow")
        found = await rows(database, f"SELECT * FROM ({USED}) u WHERE kind = 'tenant'")
        assert found == [("tenant", "", "2026-11", 12, 5)]
        assert (await report(database)).ok


async def test_months_are_those_of_the_tenants_time_zone_in_force_when_the_usage_was_stored(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    eve = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    async with offices(database, tmp_path, 1) as (one,):
        await one.append("acme/requests/2026-11", record("r1", 1, at=eve), "r1")
        await one.set_limit(100, time_zone="Europe/Berlin")
        await one.append("acme/requests/2026-11", record("r2", 2, at=eve), "r2")
        found = await rows(database, f"SELECT * FROM ({USED}) u WHERE kind = 'tenant'")
        assert [(month, tokens) for _, _, month, tokens, _ in found] == [("2026-11", 1), ("2026-12", 2)]
        assert one.directory.month("acme", eve) == "2026-12"
        assert one.directory.period("acme", eve).start == datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
        assert (await report(database)).ok


async def test_a_counter_that_differs_from_the_log_is_reported(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 1) as (one,):
        await one.append("acme/requests/2026-11", record("r1", 7), "r1")
        with psycopg.connect(database.admin_dsn) as conn:
            conn.execute("UPDATE quota_used SET tokens = 6 WHERE kind = 'tenant'")
        found = await report(database)
        assert not found.ok
        assert "counter 6 tokens" in found.problems[0].detail


async def test_crossing_the_soft_threshold_is_one_event_whoever_notices(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 2) as (one, two):
        for office in (one, two):
            await office.set_limit(100, scope=Scope("key", "k1"), hard_cap_enabled=False)
        for number, tokens in enumerate((79, 1, 50)):
            await one.append("acme/requests/2026-11", record(f"r{number}", tokens), f"r{number}")
            for office in (one, two):
                office.watch.notice("acme", Scope("key", "k1"))
                await office.watch.look()
        told = [e.event async for e in one.store.log.read(types=[SoftCapReached.TYPE])]
        assert [(event.scope, event.scope_id, event.used, event.limit) for event in told] == [
            ("key", "k1", 80, 100)
        ]
