"""The runner: rows and checkpoint together, fencing, parked events, several processes."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import text

from domain.kernel.events import UnknownEvent
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from projections.generations import active_generation, install
from projections.leases import Lease, LostLease, acquire
from projections.parked import list_parked, retry_parked
from projections.projection import Projection
from projections.projector import Projector
from tests.projections.conftest import Engines, Running, reached
from tests.projections.memory_tail import MemoryTail, envelope
from tests.projections.shelf import (
    HANDLERS,
    SHELF,
    ItemAdded,
    ItemRelabelled,
    ItemRemoved,
    Unrelated,
    items,
    totals,
)
from tests.waiting import until

ITEMS = "SELECT tenant, item, label, position FROM shelf_items ORDER BY tenant, item"


async def lease_of(engines: Engines, projection: Projection, owner: str) -> Lease:
    async with engines.system.connect() as conn:
        active = await active_generation(conn, projection.name)
    assert active
    lease = await acquire(engines.system, active, owner)
    assert lease
    return lease


async def test_events_become_rows_in_log_order(engines: Engines, running: Running) -> None:
    # given
    tail = MemoryTail()
    tail.append(ItemAdded(item="a"), ItemAdded(item="b"), ItemRelabelled(item="a", label="x"), Unrelated())
    tail.append(ItemRemoved(item="b"), ItemAdded(item="b", label="again"))
    # when
    async with running(tail, [SHELF]):
        await reached(engines, "shelf", 6)
        tail.append(ItemAdded(item="c"), tenant="t2")
        await reached(engines, "shelf", 7)
    # then
    assert await engines.rows(ITEMS) == [("t1", "a", "x", 1), ("t1", "b", "again", 6), ("t2", "c", None, 7)]
    assert await engines.rows("SELECT * FROM shelf_totals ORDER BY tenant") == [("t1", 3), ("t2", 1)]


async def test_a_worker_that_lost_its_lease_cannot_commit(engines: Engines) -> None:
    # given a worker whose lease passed to another, which then moved on
    tail = MemoryTail()
    tail.append(ItemAdded(item="a"), ItemAdded(item="b"))
    await install(engines.owner, [SHELF])
    stale = Projector(SHELF, await lease_of(engines, SHELF, "one"), engines.system)
    async with engines.owner.begin() as conn:
        await conn.execute(text("UPDATE projection_leases SET expires_at = now()"))
    fresh = Projector(SHELF, await lease_of(engines, SHELF, "two"), engines.system)
    await fresh.settle(tail.envelopes[:1], 1)
    # when
    with pytest.raises(LostLease):
        await stale.settle(tail.envelopes, 2)
    # then
    await fresh.settle(tail.envelopes[1:], 2)
    assert [row[1] for row in await engines.rows(ITEMS)] == ["a", "b"]


async def test_a_lease_is_exclusive_until_it_ends(engines: Engines) -> None:
    await install(engines.owner, [SHELF])
    held = await lease_of(engines, SHELF, "one")
    assert await acquire(engines.system, held.generation, "two") is None


@pytest.mark.parametrize(
    "poison",
    [
        pytest.param(ItemAdded(item="p", label="poison"), id="the handler fails"),
        pytest.param(ItemAdded(item="a1"), id="the database refuses the row"),
        pytest.param(ItemAdded(item="p" * 1_000_000), id="the key is too long for an index"),
    ],
)
async def test_a_poison_event_is_parked_and_everything_else_goes_on(
    engines: Engines, running: Running, poison: ItemAdded
) -> None:
    # given
    tail = MemoryTail()
    tail.append(*(ItemAdded(item=f"a{n}") for n in range(20)), poison)
    tail.append(*(ItemAdded(item=f"b{n}") for n in range(20)))
    # when
    async with running(tail, [SHELF]):
        await reached(engines, "shelf", 41)
    # then
    assert len(await engines.rows(ITEMS)) == 40
    assert await engines.rows("SELECT added FROM shelf_totals") == [(40,)]
    [parked] = await list_parked(engines.system, "shelf")
    assert (parked.position, parked.type, parked.attempts) == (21, "shelf.item_added", 3)
    assert "nobody can digest" not in parked.error


async def test_an_undecodable_event_is_parked(engines: Engines, running: Running) -> None:
    # given a known type whose content does not decode, and a type nobody here knows
    tail = MemoryTail()
    tail.append(ItemAdded(item="a"))
    undecodable = UnknownEvent(problem="ValidationError: Expected `str`, got `int`")
    tail.envelopes.append(envelope(undecodable, 2, type_name="shelf.item_added"))
    tail.envelopes.append(envelope(UnknownEvent(), 3, type_name="future.thing_happened"))
    tail.append(ItemAdded(item="b"))
    # when
    async with running(tail, [SHELF]):
        await reached(engines, "shelf", 4)
    # then
    assert [row[1] for row in await engines.rows(ITEMS)] == ["a", "b"]
    [parked] = await list_parked(engines.system, "shelf")
    assert parked.position == 2
    assert "Expected `str`" in parked.error


async def test_a_parked_event_is_applied_once_its_handler_is_mended(
    engines: Engines, running: Running
) -> None:
    # given
    tail = MemoryTail()
    tail.append(ItemAdded(item="p", label="poison"), ItemAdded(item="a"))
    async with running(tail, [SHELF]):
        await reached(engines, "shelf", 2)
    still_broken = await retry_parked(SHELF, system=engines.system, tail=tail)
    # when
    mended = Projection("shelf", 1, (items, totals), {**HANDLERS, ItemAdded: lambda e: []})
    outcome = await retry_parked(mended, system=engines.system, tail=tail)
    # then
    assert (still_broken.applied, still_broken.still_parked) == (0, 1)
    assert (outcome.applied, outcome.still_parked) == (1, 0)
    assert await list_parked(engines.system, "shelf") == []


async def test_another_runner_takes_over_when_one_stops(engines: Engines, running: Running) -> None:
    # given two runners, one of which works
    tail = MemoryTail()
    async with running(tail, [SHELF]):
        async with running(tail, [SHELF]):
            position = tail.append(ItemAdded(item="a"))
            await reached(engines, "shelf", position)
        # when one stops
        position = tail.append(ItemAdded(item="b"))
        # then
        await reached(engines, "shelf", position)
    assert len(await engines.rows(ITEMS)) == 2


async def test_a_broken_database_connection_parks_nothing(
    database: PostgresEndpoint, engines: Engines, running: Running
) -> None:
    # given
    tail = MemoryTail()
    async with running(tail, [SHELF]):
        await reached(engines, "shelf", tail.append(ItemAdded(item="a")))
        # when
        async with await psycopg.AsyncConnection.connect(database.admin_dsn) as conn:
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'aios_system' AND datname = current_database()"
            )
        # then
        await reached(engines, "shelf", tail.append(ItemAdded(item="b")))
    assert await list_parked(engines.system, "shelf") == []


async def test_unrelated_events_move_the_checkpoint_too(engines: Engines, running: Running) -> None:
    tail = MemoryTail()
    async with running(tail, [SHELF]):
        await reached(engines, "shelf", tail.append(*[Unrelated()] * 5))
    assert await engines.rows(ITEMS) == []


async def test_live_events_are_read_once_for_all_projections(engines: Engines, running: Running) -> None:
    # given five projections that have caught up
    tail = MemoryTail()
    several = [Projection(f"p{n}", 1, (), {Unrelated: lambda e: []}) for n in range(5)]

    async def all_at_head() -> bool:
        rows = await engines.rows("SELECT min(position) FROM projection_checkpoints")
        return bool(rows[0][0] == await tail.head())

    async with running(tail, several):
        await reached(engines, "p4", tail.append(Unrelated()))
        await until(all_at_head, "all projections are live")
        pages = tail.pages_read
        # when
        for _ in range(3):
            tail.append(Unrelated())
            await until(all_at_head, "all projections are live")
    # then none of them read the log itself
    assert tail.pages_read == pages
