"""How long a month of a million requests takes to sum up: summary, every breakdown, and the export.

    python -m benchmarks.usage [--json] [--events 1000000] [--repeat 7] [--folder KEPT]

The projection's own apply fills the read models (5000 events a transaction), so what is measured is what the
product has after as many requests: 1000 users, 50 keys, 20 workspaces, 8 segments, 12 models of 5 providers.
Queries run as the API runs them, in the tenant's scope. Target: medians under 200 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, get_args

import uvloop
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.kernel.events import Envelope
from domain.kernel.request_record import Attempt, Decision, RequestRecorded, TokenCounts
from infrastructure.database.engines import engine
from infrastructure.database.migrate import migrate
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from projections.generations import active_generation, install
from projections.leases import acquire
from projections.projector import Projector
from projections.scope import tenant_connection
from projections.usage.answers import By
from projections.usage.project import USAGE
from projections.usage.queries import usage_breakdown, usage_summary
from projections.usage.request_queries import usage_events

TENANT, OTHER = "bench", "other"
MONTH = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
ODD = MONTH[0] + timedelta(hours=5, minutes=17), MONTH[1] - timedelta(minutes=13)
BATCH = 5000
EXPORTED = 20_000
MODELS = tuple((f"provider-{n % 5}", f"model-{n}") for n in range(12))
Question = Callable[[AsyncConnection], Awaitable[Any]]


def envelope(position: int, total: int, random: Random) -> Envelope[RequestRecorded]:
    """Return one plausible request of the month; every tenth is another tenant's."""
    provider, model = MODELS[int(random.random() ** 2 * len(MODELS))]
    started = MONTH[0] + (MONTH[1] - MONTH[0]) * (position / total)
    duration = int(random.lognormvariate(6.8, 0.7))
    usage = TokenCounts(input=random.randrange(50, 4000), cached_input=20, output=random.randrange(1, 900))
    cost = usage.total * 3
    user = int(random.random() ** 2 * 1000)
    attempt = Attempt(
        provider=provider, model=model, outcome="ok", started_ms=1, duration_ms=duration, usage=usage,
        usage_source="provider", cost_micros=cost, price_version="genai-prices-0.2.3",
    )  # fmt: skip
    event = RequestRecorded(
        request_id=f"req_{position:016x}",
        operation="chat",
        dialect="openai",
        workspace=f"workspace-{user % 20}",
        key_id=f"key_{user % 50:012x}",
        started_at=started,
        duration_ms=duration,
        outcome="failed" if position % 50 == 0 else "succeeded",
        status=200,
        decision=Decision(requested_model="auto", rule="1", targets=(f"{provider}/{model}",)),
        attempts=(attempt,),
        segment=f"segment-{user % 8}",
        provider=provider,
        model=model,
        usage=usage,
        usage_source="provider",
        cost_micros=cost,
        subject=f"subject-{user}",
        user=f"user-{user}",
    )
    return Envelope(
        position=position, tenant=OTHER if position % 10 == 0 else TENANT, stream_id="s", version=position,
        type=event.TYPE, schema_version=1, recorded_at=started, command_id=event.request_id, correlation="",
        actor="key/bench", event=event,
    )  # fmt: skip


async def fill(system: AsyncEngine, owner: AsyncEngine, events: int) -> float:
    """Project so many requests of the tenant (and a tenth more of another); returns events a second."""
    await install(owner, [USAGE])
    async with system.connect() as conn:
        active = await active_generation(conn, USAGE.name)
    lease = await acquire(system, active, "bench", 86_400.0) if active else None
    if lease is None:
        raise RuntimeError("the usage projection is not free")
    projector, random, total = Projector(USAGE, lease, system), Random(7), events * 10 // 9
    began, there = time.perf_counter(), projector.position
    for first in range(there + 1, total + 1, BATCH):
        last = min(total, first + BATCH - 1)
        await projector.settle([envelope(n, total, random) for n in range(first, last + 1)], last)
    async with owner.connect() as conn:
        await (await conn.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql("VACUUM ANALYZE")
    return (total - there) / (time.perf_counter() - began)


def questions() -> dict[str, Question]:
    """Return what is asked, by name."""
    asked: dict[str, Question] = {
        "summary": lambda conn: usage_summary(conn, *MONTH),
        "summary, odd bounds": lambda conn: usage_summary(conn, *ODD),
    }
    for by in get_args(By):
        asked[f"by {by}"] = partial(_breakdown, by, None, MONTH)
        asked[f"by {by}, odd bounds"] = partial(_breakdown, by, None, ODD)
        asked[f"by {by}, each day"] = partial(_breakdown, by, "day", MONTH)
    asked["by model, each hour"] = partial(_breakdown, "model", "hour", MONTH)
    return asked


async def _breakdown(by: By, interval: Any, bounds: tuple[datetime, datetime], conn: AsyncConnection) -> Any:
    return await usage_breakdown(conn, by, interval, *bounds)


async def ask(app: AsyncEngine, repeat: int) -> dict[str, float]:
    """Return the median milliseconds of each question, which take turns."""
    found: dict[str, list[float]] = {name: [] for name in questions()}
    for _ in range(repeat):
        for name, question in questions().items():
            began = time.perf_counter()
            async with tenant_connection(app, TENANT) as conn:
                await question(conn)
            found[name].append((time.perf_counter() - began) * 1000)
    return {name: round(statistics.median(values), 1) for name, values in found.items()}


async def export(app: AsyncEngine) -> float:
    """Return how many lines a second the export yields at its start."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[AsyncConnection]:
        async with tenant_connection(app, TENANT) as conn:
            yield conn

    count, began = 0, time.perf_counter()
    async for _ in usage_events(connect, *MONTH):
        count += 1
        if count == EXPORTED:
            break
    return count / (time.perf_counter() - began)


async def run(endpoint: PostgresEndpoint, events: int, repeat: int) -> dict[str, Any]:
    """Fill the read models and ask."""
    owner = engine(endpoint.owner_dsn, application="bench-owner")
    system = engine(endpoint.system_dsn, application="bench-projector")
    app = engine(endpoint.app_dsn, application="bench-app")
    speed = await fill(system, owner, events)
    answers = await ask(app, repeat)
    lines = await export(app)
    await asyncio.gather(owner.dispose(), system.dispose(), app.dispose())
    return {"events": events, "projected_a_second": round(speed), "export_lines_a_second": round(lines)} | {
        "median_ms": answers
    }


def main() -> None:
    """Print the result for people, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--folder", help="keep the filled database there, and use it again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        server = EmbeddedPostgres(Path(options.folder or temporary) / "pg")
        endpoint = server.ensure_running()
        try:
            migrate(endpoint.owner_dsn)
            result = uvloop.run(run(endpoint, options.events, options.repeat))
        finally:
            server.stop()
    if options.json:
        print(json.dumps(result))
        return
    medians = result.pop("median_ms")
    for name, value in result.items():
        print(f"{name:28} {value}")
    for name, value in medians.items():
        print(f"{name:28} {value:10.1f} ms")
    print(f"{'slowest median':28} {max(medians.values()):10.1f} ms (target: under 200)")


if __name__ == "__main__":
    main()
