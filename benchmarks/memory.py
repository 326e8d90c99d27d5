"""Memory: adding through the API with scrubbing, and searching at two sizes beside exact search.

`python -m benchmarks.memory [--engine wordllama|minilm] [--large N] [--tenants N] [--keep DIRECTORY]` runs
the real product (API, projector, embedded database and embedding model). Memories are added over HTTP by 16
callers; the large sets are appended to the log and projected like any others. Searches go over HTTP, one
after another; the comparison is the same search with exact vector search, in the same run and process. CPU
time is of the processes named, a memory or search; on a shared machine it says more than the clock.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import text

from application.ports import AppendRequest, NewEvent
from benchmarks.gateway_processes import cpu_seconds, tree_cpu_seconds
from benchmarks.http import Client
from benchmarks.memory_data import memory, question
from domain.memory.events import MemoryAdded, MemoryDetails
from domain.memory.memory import memory_stream
from domain.registry import event_registry
from infrastructure.embeddings.configured import configured_embeddings
from infrastructure.memory.indexing import EXACT_UP_TO, PENDING_UP_TO, index_pending
from infrastructure.runtime import Runtime, endpoints
from infrastructure.settings import Settings, load
from projections.memory.search import Vector, by_meaning, words_of
from projections.memory.visible import MemoryFilters, visible
from projections.scope import tenant_connection
from tests.product import Product, running_product
from tests.waiting import until

LOADERS = 256
ADDERS = 16
SEARCHES, WARMING = 200, 20
BEST = 10


async def main() -> None:
    """Measure, and print."""
    options = _options()
    with contextlib.ExitStack() as stack:
        folder = (options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))) / "aios"
        product = stack.enter_context(running_product(folder, AIOS_EMBEDDINGS=options.engine))
        print(f"embeddings: {options.engine}")
        await _adding(product, options.added)
        settings = load(product.env)
        async with _opened(settings) as runtime:
            await _fill(runtime, {"large": options.large})
            await _searching(product, runtime, settings, ["large"], f"{options.large} memories in one tenant")
            many = {f"small-{number}": 100 for number in range(options.tenants)}
            await _fill(runtime, many)
            title = f"{options.tenants} tenants of 100"
            await _searching(product, runtime, settings, list(many), title)


async def _adding(product: Product, count: int) -> None:
    """Add memories of a thousand people; a quarter of them first, unmeasured, for the processes to settle."""
    random = Random(1)
    await _added(product, [_body(random, n) for n in range(count // 4)])
    before = _cpu_seconds(product)
    added, found = await _added(product, [_body(random, n) for n in range(count)])
    print(
        f"adding over HTTP, scrubbed, {ADDERS} callers: {count / added:.0f}/s; "
        f"with vectors {count / found:.0f}/s; CPU {_cpu_each(product, before, count)}"
    )


def _body(random: Random, number: int) -> dict[str, str]:
    content = f"{memory(random)}; mail {number}@example.com"
    return {"content": content, "user_id": f"person-{random.randrange(1000)}"}


async def _added(product: Product, bodies: list[dict[str, str]]) -> tuple[float, float]:
    """Return how many seconds it took until all were answered, and until all had their vectors."""
    todo = iter(bodies)
    numbers = "/api/ai-advanced/analytics/vector-search"

    async def add() -> None:
        async with Client(product.base_url, product.api_key) as client:
            for body in todo:
                answer = await client.post("/api/ai-advanced/memory", body)
                assert "[EMAIL]" in answer["content"]

    async with Client(product.base_url, product.api_key) as client:
        await client.post("/api/ai-advanced/memory/search", {"query": "warm up"})
        wanted = (await client.get(numbers))["vectors"] + len(bodies)
        began = time.perf_counter()
        await asyncio.gather(*(add() for _ in range(ADDERS)))
        added = time.perf_counter() - began

        async def searchable() -> bool:
            return bool((await client.get(numbers))["vectors"] >= wanted)

        await until(searchable, "every added memory has its vector", 600.0)
    return added, time.perf_counter() - began


def _cpu_seconds(product: Product) -> dict[str, float]:
    """Return the CPU time so far of the processes that adding and searching keep busy."""
    pids = product.pids
    spent = {name: sum(map(cpu_seconds, pids[name])) for name in ("api", "projector")}
    return spent | {"postgres": sum(map(tree_cpu_seconds, pids["postgres"]))}


def _cpu_each(product: Product, before: dict[str, float], count: int) -> str:
    after = _cpu_seconds(product)
    each = {name: (after[name] - before[name]) * 1000 / count for name in after}
    return ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in each.items())


async def _fill(runtime: Runtime, tenants: dict[str, int]) -> None:
    """Append made-up memories and wait until they have their vectors."""
    random, now = Random(2), datetime.now(UTC)
    todo = iter([(tenant, n) for tenant, count in tenants.items() for n in range(count)])
    last = 0

    async def append() -> None:
        nonlocal last
        for tenant, number in todo:
            memory_id = f"mem_{number}"
            at = now - timedelta(hours=random.randrange(20_000))
            event = MemoryAdded(
                memory_id=memory_id, subject=f"s_{number % 50}", category="general", occurred_at=at,
                added_at=now, changed_at=now, content=memory(random), details=MemoryDetails(user_id="u"),
            )  # fmt: skip
            facts = (NewEvent(memory_stream(tenant, memory_id), event),)
            stored = await runtime.log.append(AppendRequest(tenant, f"bench/{memory_id}", facts))
            last = max(last, stored.last_position)

    began = time.perf_counter()
    await asyncio.gather(*(append() for _ in range(LOADERS)))
    appended = time.perf_counter() - began
    await _projected(runtime, last)
    projected = time.perf_counter() - began
    indexed = await _indexed(runtime)
    await _analysed(runtime)
    count = sum(tenants.values())
    print(
        f"{count} memories: appended at {count / appended:.0f}/s, searchable at {count / projected:.0f}/s, "
        f"{indexed} put into the index"
    )


async def _indexed(runtime: Runtime) -> int:
    """Help the projector to fill the index, and return how many vectors are in it."""
    engine = runtime.engine(runtime.where.system_dsn, size=1)
    counts = text(
        "SELECT count(*) FILTER (WHERE indexed), count(*) FILTER (WHERE NOT indexed) FROM memory_vectors "
        "GROUP BY tenant"
    )
    while True:
        await index_pending(engine)
        async with engine.connect() as conn:
            tenants = (await conn.execute(counts)).all()
        if all(pending <= (PENDING_UP_TO if indexed else EXACT_UP_TO) for indexed, pending in tenants):
            return sum(int(indexed) for indexed, _ in tenants)
        await asyncio.sleep(1.0)


async def _analysed(runtime: Runtime) -> None:
    """Take the planner's statistics, as PostgreSQL does by itself within minutes of a bulk load."""
    engine = runtime.engine(runtime.where.owner_dsn, size=1)
    async with engine.begin() as conn:
        await conn.execute(text("ANALYZE"))


async def _projected(runtime: Runtime, position: int) -> None:
    async with runtime.system_pool.connection() as conn:
        while True:
            cursor = await conn.execute(
                "SELECT min(position) FROM projection_checkpoints JOIN projection_generations "
                "USING (projection, generation) WHERE state = 'active' AND projection LIKE 'memor%'"
            )
            row = await cursor.fetchone()
            await conn.commit()
            if row and row[0] >= position:
                return
            await asyncio.sleep(0.2)


async def _searching(
    product: Product, runtime: Runtime, settings: Settings, tenants: list[str], title: str
) -> None:
    keys = {tenant: await _key(product, tenant) for tenant in tenants[:50]}
    random = Random(3)
    asked = [(random.choice(list(keys)), question(random)) for _ in range(SEARCHES)]
    times: list[float] = []
    async with Client(product.base_url) as client:
        for number, (tenant, asking) in enumerate([*asked[:WARMING], *asked]):
            if number == WARMING:
                before = _cpu_seconds(product)
            began = time.perf_counter()
            answer = await client.post(
                "/api/ai-advanced/memory/search", {"query": asking, "limit": BEST}, keys[tenant]
            )
            assert len(answer["items"]) == BEST, answer
            if number >= WARMING:
                times.append((time.perf_counter() - began) * 1000)
    print(
        f"{title}: search over HTTP p50 {_p(times, 50):.1f} ms, p95 {_p(times, 95):.1f} ms; "
        f"CPU {_cpu_each(product, before, SEARCHES)}"
    )
    await _recall(runtime, settings, asked[:50], title)


async def _recall(runtime: Runtime, settings: Settings, asked: list[tuple[str, str]], title: str) -> None:
    embedder = configured_embeddings(settings)
    engine = runtime.engine(runtime.where.app_dsn)
    conditions = visible(MemoryFilters(), _book(), datetime.now(UTC))
    found = expected = 0
    times: dict[bool, list[float]] = {False: [], True: []}
    for tenant, asking in asked:
        written = await embedder.embed_query(asking)
        vector = Vector(written, embedder.model, embedder.dimension)
        results = []
        for exact in (False, True):
            async with tenant_connection(engine, tenant) as conn:
                await words_of(conn, "", BEST)
                began = time.perf_counter()
                results.append(
                    await by_meaning(conn, tenant, vector, conditions, BEST, exact=exact, filtered=False)
                )
                times[exact].append((time.perf_counter() - began) * 1000)
        farthest = results[1][-1][1] - 1e-6
        found += sum(similarity >= farthest for _, similarity in results[0])
        expected += len(results[1])
    await embedder.aclose()
    index, exactly = (f"p50 {_p(times[k], 50):.1f}, p95 {_p(times[k], 95):.1f} ms" for k in (False, True))
    print(f"{title}: index {index}; exact {exactly}; recall@{BEST} {found / expected:.3f}")


async def _key(product: Product, tenant: str) -> str:
    async with Client(product.base_url, product.api_key) as client:
        answer = await client.post("/api/ai-advanced/tenants", {"tenant_id": tenant, "name": tenant})
        return str(answer["admin_key"])


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Runtime]:
    where = await asyncio.to_thread(endpoints, settings, lambda _line: None)
    runtime = Runtime(settings, where, event_registry(), name="benchmark")
    await runtime.open()
    try:
        yield runtime
    finally:
        await runtime.close()


def _book() -> Any:
    from domain.memory.policy import PolicyBook

    return PolicyBook()


def _p(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100)[percent - 1]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", default="wordllama")
    parser.add_argument("--added", type=int, default=2000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--keep", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
