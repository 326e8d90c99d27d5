"""Search on real rows: both channels, the index beside exact search, and what is not in the index yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from application.ports import AppendRequest, NewEvent
from benchmarks.memory_data import memory, question
from domain.memory.events import MemoryAdded, MemoryDeleted, MemoryDetails
from domain.memory.policy import MemoryRules, PolicyBook
from infrastructure.memory.indexing import index_pending
from projections.memory.project import MEMORIES
from projections.memory.queries import get_memory, list_memories
from projections.memory.search import Vector, by_meaning, by_words, words_of
from projections.memory.statistics import Statistics
from projections.memory.vectors import MEMORY_VECTORS, with_embeddings
from projections.memory.visible import MemoryFilters, visible
from projections.scope import tenant_connection
from tests.fakes.embeddings import DIMENSION, LetterCounts, vector
from tests.fakes.event_log import InMemoryEventLog
from tests.projections.conftest import Engines, Running, reached

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MODEL = ("letters", DIMENSION)
BOOK = PolicyBook()


def added(number: int, content: str, **fields: Any) -> MemoryAdded:
    usual = {
        "memory_id": f"m{number:05}",
        "subject": "s",
        "category": "general",
        "occurred_at": NOW - timedelta(hours=number),
        "added_at": NOW,
        "changed_at": NOW,
        "content": content,
        "details": MemoryDetails(user_id=f"u{number % 7}"),
    }
    return MemoryAdded(**usual | fields)  # type: ignore[arg-type]  # the fields differ in type


async def store(log: InMemoryEventLog, tenant: str, *events: Any) -> int:
    last = 0
    for start in range(0, len(events), 500):
        chunk = events[start : start + 500]
        facts = tuple(NewEvent(f"{tenant}/memory/{event.memory_id}", event) for event in chunk)
        request = AppendRequest(tenant=tenant, command_id=f"{tenant}{start}{id(events)}", events=facts)
        last = (await log.append(request)).last_position
    return last


@pytest.fixture
async def filled(engines: Engines, running: Running) -> AsyncIterator[Engines]:
    """A tenant of 1200 memories, and a neighbour with the same texts."""
    log, random = InMemoryEventLog(), Random(5)
    events = [added(number, memory(random)) for number in range(1200)]
    await store(log, "acme", *events)
    await store(log, "beta", *events[:50])
    async with running(log, with_embeddings([MEMORIES, MEMORY_VECTORS], LetterCounts())):
        await reached(engines, "memories", await log.head())
        await reached(engines, "memory_vectors", await log.head())
        yield engines


async def nearest(conn: AsyncConnection, text: str, *, exact: bool, limit: int = 10, **filters: Any) -> Any:
    conditions = visible(MemoryFilters(**filters), BOOK, NOW)
    asked = Vector(vector(text), *MODEL)
    return await by_meaning(conn, "acme", asked, conditions, limit, exact=exact, filtered=bool(filters))


async def test_the_index_finds_what_exact_search_finds(filled: Engines) -> None:
    assert await index_pending(filled.system, exact_up_to=1000) == 1200
    random, found, expected = Random(6), 0, 0
    async with tenant_connection(filled.app, "acme") as conn:
        for _ in range(30):
            text = question(random)
            exactly = await nearest(conn, text, exact=True)
            through = await nearest(conn, text, exact=False)
            expected += len(exactly)
            found += sum(similarity >= exactly[-1][1] - 1e-6 for _, similarity in through)
    assert expected == 300
    assert found / expected >= 0.98


async def test_a_narrow_filter_still_gets_its_ten_through_the_index(filled: Engines) -> None:
    await index_pending(filled.system, exact_up_to=1000)
    async with tenant_connection(filled.app, "acme") as conn:
        since = NOW - timedelta(hours=12)
        through = await nearest(conn, "tea", exact=False, since=since)
        exactly = await nearest(conn, "tea", exact=True, since=since)
    assert len(through) == 10
    assert {item for item, _ in through} == {item for item, _ in exactly}


async def test_small_tenants_stay_out_of_the_index(filled: Engines) -> None:
    await index_pending(filled.system, exact_up_to=1000, pending_up_to=10)
    rows = await filled.rows("SELECT tenant, count(*) FROM memory_vectors WHERE indexed GROUP BY tenant")
    assert rows == [("acme", 1200)]


async def test_what_is_not_in_the_index_yet_is_found(engines: Engines, running: Running) -> None:
    log = InMemoryEventLog()
    await store(log, "acme", *(added(n, f"text {n}") for n in range(40)))
    async with running(log, with_embeddings([MEMORIES, MEMORY_VECTORS], LetterCounts())):
        await reached(engines, "memory_vectors", await log.head())
        await index_pending(engines.system, exact_up_to=10, pending_up_to=10)
        gone = MemoryDeleted(
            memory_id="m00003", subject="s", category="general", occurred_at=NOW, deleted_at=NOW
        )
        await store(log, "acme", added(99, "zzz zzz"), gone)
        await reached(engines, "memory_vectors", await log.head())
        await reached(engines, "memories", await log.head())
        async with tenant_connection(engines.app, "acme") as conn:
            best = await nearest(conn, "zzz zzz", exact=False)
            everything = await nearest(conn, "text", exact=False, limit=100)
    assert best[0] == ("m00099", pytest.approx(1.0, abs=1e-3))
    assert len(everything) == 40
    assert "m00003" not in {item for item, _ in everything}


async def test_rare_words_count_more_than_common_ones(engines: Engines, running: Running) -> None:
    log = InMemoryEventLog()
    texts = [f"the printer on floor {n} is slow" for n in range(60)]
    await store(
        log, "acme", *(added(n, text) for n, text in enumerate([*texts, "a quokka", "slow printers"]))
    )
    async with running(log, with_embeddings([MEMORIES, MEMORY_VECTORS], LetterCounts())):
        await reached(engines, "memories", await log.head())
        await reached(engines, "memory_vectors", await log.head())
        async with tenant_connection(engines.app, "acme") as conn:
            statistics = await Statistics().of(conn, "acme")
            conditions = visible(MemoryFilters(), BOOK, NOW)
            words = await words_of(conn, "is the printer a quokka?")
            ranked = await by_words(conn, "acme", words, statistics, conditions, 50)
    assert ranked[0][0] == "m00060"
    assert len(ranked) == 50
    assert words == ["printer", "quokka"]
    assert statistics.share("printer") > 0.9 > statistics.share("quokka")
    assert statistics.weight("quokka") > statistics.weight("printer") > 0


async def test_nothing_of_another_tenant_is_found(filled: Engines) -> None:
    async with tenant_connection(filled.app, "acme") as conn:
        conditions = visible(MemoryFilters(), BOOK, NOW)
        assert await by_meaning(conn, "beta", Vector(vector("tea"), *MODEL), conditions, 10, exact=True) == []
        statistics = await Statistics().of(conn, "beta")
        assert await by_words(conn, "beta", ["tea"], statistics, conditions, 10) == []


async def test_an_ended_memory_is_hidden_by_its_own_and_by_its_policys_time(
    engines: Engines, running: Running
) -> None:
    log = InMemoryEventLog()
    day = timedelta(days=1)
    await store(
        log, "acme",
        added(1, "own", ttl_days=2, occurred_at=NOW - 2 * day),
        added(2, "own, not yet", ttl_days=2, occurred_at=NOW - 2 * day + timedelta(seconds=1)),
        added(3, "policy", category="short", occurred_at=NOW - day),
        added(4, "default", occurred_at=NOW - 9 * day),
    )  # fmt: skip
    book = PolicyBook().set("short", MemoryRules(ttl_days=1)).set(None, MemoryRules(ttl_days=9))
    async with running(log, [MEMORIES]):
        await reached(engines, "memories", await log.head())
        async with tenant_connection(engines.app, "acme") as conn:
            listed = await list_memories(conn, MemoryFilters(), book, NOW, limit=10)
            before = await list_memories(conn, MemoryFilters(), book, NOW - timedelta(seconds=1), limit=10)
            assert await get_memory(conn, "m00003", book, NOW) is None
    assert [view.content for view in listed] == ["own, not yet"]
    assert len(before) == 4
