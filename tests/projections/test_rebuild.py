"""Rebuilds: the same rows from the same log, while readers and writers notice nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, Table, Text, text

from domain.kernel.errors import Conflict, NotFound
from projections.generations import Generation, active_generation, create_generation, generations, install
from projections.leases import acquire, take
from projections.memory.vectors import with_embeddings
from projections.ops import Upsert
from projections.projection import Projection
from projections.projector import Projector
from projections.rebuild import rebuild, roll_back, sweep
from projections.registry import PROJECTIONS
from projections.runner import worker_name
from projections.scope import tenant_connection
from projections.tables import tenant_key
from tests.fakes.embeddings import LetterCounts
from tests.projections.conftest import Engines, Running, reached
from tests.projections.memory_tail import MemoryTail
from tests.projections.samples import events_of
from tests.projections.shelf import HANDLERS, SHELF, ItemAdded, ItemRelabelled, item_added, items, totals
from tests.waiting import until


async def rebuilt(engines: Engines, projection: Projection, tail: MemoryTail) -> Generation:
    return await rebuild(
        projection, tail=tail, system=engines.system, owner=engines.owner, worker=worker_name()
    )


async def contents(engines: Engines, projection: Projection) -> dict[str, list[str]]:
    """Every row of every table through its view, in no particular order, and what is parked."""
    found = {}
    for table in projection.tables:
        rows = await engines.rows(f"SELECT to_jsonb(t)::text FROM {table.name} t")
        found[table.name] = sorted(row[0] for row in rows)
    found["parked"] = [
        f"{row[0]} {row[1]}"
        for row in await engines.rows(
            "SELECT position, error FROM projection_parked JOIN projection_generations "
            "USING (projection, generation) WHERE state = 'active' AND projection = :name ORDER BY 1",
            name=projection.name,
        )
    ]
    return found


@pytest.mark.parametrize(
    "projection", with_embeddings(PROJECTIONS, LetterCounts()), ids=lambda projection: projection.name
)
async def test_a_rebuild_gives_the_same_rows(engines: Engines, projection: Projection) -> None:
    # given a log of made-up events that was projected as it grew, in batches of any size
    tail = MemoryTail()
    tail.envelopes = events_of(tuple(projection.handlers), 150, seed=20)
    await install(engines.owner, [projection])
    async with engines.system.connect() as conn:
        active = await active_generation(conn, projection.name)
    lease = await acquire(engines.system, active, "live") if active else None
    assert lease
    projector, random = Projector(projection, lease, engines.system), Random(1)
    while projector.position < len(tail.envelopes):
        upto = min(projector.position + random.randrange(1, 40), len(tail.envelopes))
        await projector.settle(tail.envelopes[projector.position : upto], upto)
    live = await contents(engines, projection)
    # when
    await rebuilt(engines, projection, tail)
    # then
    assert await contents(engines, projection) == live
    assert any(live[table.name] for table in projection.tables)


async def test_readers_and_writers_notice_nothing(engines: Engines, running: Running) -> None:
    # given a runner at work, a writer and readers that never stop
    tail, stop = MemoryTail(), asyncio.Event()
    tail.append(*(ItemAdded(item=f"i{n}") for n in range(3000)))
    counts: list[int] = []

    async def write() -> None:
        while not stop.is_set():
            tail.append(ItemAdded(item=f"i{len(tail.envelopes)}"))
            await asyncio.sleep(0.002)

    async def read() -> None:
        while not stop.is_set():
            async with tenant_connection(engines.app, "t1") as conn:
                listed = (await conn.execute(text("SELECT count(*) FROM shelf_items"))).scalar_one()
                added = (await conn.execute(text("SELECT sum(added) FROM shelf_totals"))).scalar_one()
            counts.append(listed)
            assert added >= listed

    async with running(tail, [SHELF]):
        await reached(engines, "shelf", 3000)
        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            for _ in range(3):
                group.create_task(read())
            # when it is rebuilt twice
            await rebuilt(engines, SHELF, tail)
            generation = await rebuilt(engines, SHELF, tail)
            await reached(engines, "shelf", await tail.head())
            stop.set()
        await reached(engines, "shelf", await tail.head())
    # then no read failed, none saw less than another before it, and the new copy is complete
    assert generation.number == 3
    assert len(counts) > 20
    assert min(counts) >= 3000
    assert len(await engines.rows("SELECT FROM shelf_items")) == await tail.head()


async def test_a_new_version_is_rebuilt_when_the_runner_starts(engines: Engines, running: Running) -> None:
    # given rows of version 1
    tail = MemoryTail()
    async with running(tail, [SHELF]):
        await reached(engines, "shelf", tail.append(ItemAdded(item="a", label="x")))
    # when version 2 has other columns
    wider = Table(
        "shelf_items",
        MetaData(),
        tenant_key(),
        Column("item", Text, primary_key=True),
        Column("colour", Text),
    )

    def coloured(envelope: Any) -> Any:
        for op in item_added(envelope):
            if op.table is items:
                yield Upsert(wider, {"tenant": envelope.tenant, "item": envelope.event.item, "colour": "red"})

    second = Projection("shelf", 2, (wider,), {ItemAdded: coloured})
    async with running(tail, [second]):

        async def swapped() -> bool:
            rows = await engines.rows("SELECT version FROM projection_generations WHERE state = 'active'")
            return rows == [(2,)]

        await until(swapped, "version 2 is active")
        await reached(engines, "shelf", tail.append(ItemAdded(item="b")))
    # then
    assert await engines.rows("SELECT * FROM shelf_items ORDER BY item") == [
        ("t1", "a", "red"),
        ("t1", "b", "red"),
    ]
    assert await engines.rows("SELECT FROM pg_views WHERE viewname = 'shelf_totals'") == []


async def test_a_rollback_brings_the_old_copy_back_up_to_date(engines: Engines) -> None:
    # given a rebuild whose handlers were wrong
    tail = MemoryTail()
    tail.append(ItemAdded(item="a"))
    await install(engines.owner, [SHELF])
    await rebuilt(engines, SHELF, tail)
    tail.append(ItemAdded(item="b"))
    wrong = replace(SHELF, handlers={**HANDLERS, ItemAdded: lambda e: []})
    await rebuilt(engines, wrong, tail)
    assert await engines.rows("SELECT item FROM shelf_items") == []
    # when
    back = await roll_back(SHELF, tail=tail, system=engines.system, owner=engines.owner, worker=worker_name())
    # then
    assert back.number == 2
    assert await engines.rows("SELECT item FROM shelf_items ORDER BY 1") == [("a",), ("b",)]


async def test_the_runner_leaves_a_rolled_back_version_alone(engines: Engines, running: Running) -> None:
    # given version 2, rolled back to version 1
    tail = MemoryTail()
    tail.append(ItemAdded(item="a"))
    await install(engines.owner, [SHELF])
    second = replace(SHELF, version=2)
    await rebuilt(engines, second, tail)
    await roll_back(second, tail=tail, system=engines.system, owner=engines.owner, worker=worker_name())
    # when
    async with running(tail, [second]):
        await asyncio.sleep(0.5)
    # then
    async with engines.system.connect() as conn:
        active = await active_generation(conn, "shelf")
    assert active
    assert (active.version, active.number) == (1, 1)


async def test_there_is_nothing_to_roll_back_to_at_first(engines: Engines) -> None:
    await install(engines.owner, [SHELF])
    with pytest.raises(NotFound, match="no earlier generation"):
        await roll_back(
            SHELF, tail=MemoryTail(), system=engines.system, owner=engines.owner, worker=worker_name()
        )


async def test_only_one_rebuild_at_a_time(engines: Engines) -> None:
    # given a rebuild at work elsewhere
    await install(engines.owner, [SHELF])
    async with engines.owner.begin() as conn:
        assert await take(conn, await create_generation(conn, SHELF), "elsewhere")
    # when
    with pytest.raises(Conflict, match="elsewhere"):
        await rebuilt(engines, SHELF, MemoryTail())
    # then the other's copy is untouched
    async with engines.system.connect() as conn:
        assert [g.number for g in await generations(conn, "shelf")] == [1, 2]


async def test_an_abandoned_rebuild_is_cleared_by_the_next(engines: Engines) -> None:
    # given a rebuild whose process died
    tail = MemoryTail()
    tail.append(ItemAdded(item="a"))
    await install(engines.owner, [SHELF])
    async with engines.owner.begin() as conn:
        await create_generation(conn, SHELF)
    # when
    generation = await rebuilt(engines, SHELF, tail)
    # then
    assert generation.number == 3
    assert await engines.rows("SELECT FROM pg_tables WHERE tablename = 'shelf_items_v1_g2'") == []


async def test_old_copies_are_swept_and_the_served_one_is_not(engines: Engines) -> None:
    # given
    tail = MemoryTail()
    tail.append(ItemAdded(item="a"), ItemRelabelled(item="a", label="x"))
    await install(engines.owner, [SHELF])
    await rebuilt(engines, SHELF, tail)
    # when
    early = await sweep(engines.owner, [SHELF], timedelta(hours=1))
    late = await sweep(engines.owner, [SHELF], timedelta(0))
    # then
    assert (early, late) == (0, 1)
    assert await engines.rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'shelf%' ORDER BY 1") == [
        (f"{table.name}_v1_g2",) for table in (items, totals)
    ]
