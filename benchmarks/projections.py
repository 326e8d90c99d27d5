"""The projector on its real path: read and decode 1000 events, apply them, commit rows and checkpoint.

    python -m benchmarks.projections [--json] [--events 20000] [--batch 1000]

The events are records of gateway requests by 200 users of 20 keys on 6 models, spread over an hour; the
projection is the product's usage projection with its request rows, rollups and latency histograms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import uvloop

from application.ports import AppendRequest, NewEvent
from domain.kernel.events import EventRegistry
from domain.kernel.request_record import Attempt, Decision, RequestRecorded, TokenCounts
from infrastructure.database.engines import engine
from infrastructure.database.migrate import migrate
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from projections.generations import active_generation, install
from projections.leases import acquire
from projections.projector import Projector
from projections.usage.project import USAGE
from tests.event_store import EventStore, open_store

START = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
MODELS = (
    ("openai", "gpt-5"),
    ("openai", "gpt-5-mini"),
    ("anthropic", "claude-sonnet-5"),
    ("anthropic", "claude-haiku-5"),
    ("local", "smollm2-135m"),
    ("acme", "acme-large"),
)


def request_event(number: int, random: Random) -> RequestRecorded:
    """Return the record of one plausible request."""
    provider, model = MODELS[number % len(MODELS)]
    duration = int(random.lognormvariate(6.8, 0.7))
    usage = TokenCounts(input=random.randrange(50, 4000), cached_input=0, output=random.randrange(1, 900))
    cost = usage.total * 3
    user = number % 200
    return RequestRecorded(
        request_id=f"req_{number:016x}",
        operation="chat",
        dialect="openai",
        workspace=f"workspace-{number % 5}",
        key_id=f"key_{number % 20:012x}",
        started_at=START + timedelta(seconds=random.random() * 3600),
        duration_ms=duration,
        outcome="succeeded",
        status=200,
        decision=Decision(requested_model="auto", rule="1", targets=(f"{provider}/{model}",), why="segment"),
        attempts=(one_attempt(provider, model, duration, usage, cost),),
        segment=("gold", "silver", None)[number % 3],
        provider=provider,
        model=model,
        usage=usage,
        usage_source="provider",
        cost_micros=cost,
        subject=f"subject-{user}",
        user=f"user-{user}@example.com",
    )


def one_attempt(provider: str, model: str, duration: int, usage: TokenCounts, cost: int) -> Attempt:
    """Return the only attempt of a request that succeeded at once."""
    return Attempt(
        provider=provider,
        model=model,
        outcome="ok",
        started_ms=1,
        duration_ms=duration,
        status=200,
        usage=usage,
        usage_source="provider",
        cost_micros=cost,
        price_version="genai-prices-0.2.3",
    )


async def append_requests(store: EventStore, events: Sequence[RequestRecorded]) -> None:
    """Append the records as the gateway does, 256 in flight."""
    for first in range(0, len(events), 256):
        await asyncio.gather(
            *(
                store.log.append(
                    AppendRequest(
                        tenant="bench",
                        command_id=event.request_id,
                        events=(NewEvent(f"bench/usage/{event.key_id}", event),),
                        correlation=event.request_id,
                        actor=f"key/{event.key_id}",
                    )
                )
                for event in events[first : first + 256]
            )
        )


class ProjectionLoad:
    """Projects what the log holds; each call of `run` goes on where the last one ended."""

    def __init__(self, store: EventStore, endpoint: PostgresEndpoint, batch: int = 1000) -> None:
        self._tail = store.tail
        self._owner = engine(endpoint.owner_dsn, application="bench-owner")
        self._system = engine(endpoint.system_dsn, application="bench-projector")
        self._batch = batch
        self._projector: Projector | None = None

    async def prepare(self) -> None:
        """Create the tables and take the lease."""
        await install(self._owner, [USAGE])
        async with self._system.connect() as conn:
            generation = await active_generation(conn, USAGE.name)
        lease = await acquire(self._system, generation, "bench", 3600.0) if generation else None
        if lease is None:
            raise RuntimeError("the usage projection is not free: another runner works on this database")
        self._projector = Projector(USAGE, lease, self._system)

    async def run(self, batches: int) -> float:
        """Project so many batches and return events a second; the log must hold as many."""
        assert self._projector is not None, "call prepare first"
        start, begin = self._projector.position, time.perf_counter()
        await self._projector.catch_up(self._tail, until=start + batches * self._batch, page=self._batch)
        return (self._projector.position - start) / (time.perf_counter() - begin)

    async def close(self) -> None:
        """Give the connections back."""
        await self._owner.dispose()
        await self._system.dispose()


async def project(endpoint: PostgresEndpoint, keys: Path, events: int, batch: int) -> dict[str, Any]:
    """Fill a log and project it; the median of runs of four batches."""
    registry = EventRegistry()
    registry.register([RequestRecorded])
    random = Random(7)
    async with open_store(endpoint, keys, registry) as store:
        await append_requests(store, [request_event(n, random) for n in range(events)])
        load = ProjectionLoad(store, endpoint, batch)
        await load.prepare()
        speeds = [await load.run(4) for _ in range(events // (4 * batch))]
        await load.close()
    return {
        "projection_eps": round(statistics.median(speeds)),
        "slowest_eps": round(min(speeds)),
        "fastest_eps": round(max(speeds)),
        "events": events,
        "batch": batch,
    }


def measure(events: int = 20_000, batch: int = 1000) -> dict[str, Any]:
    """Measure on a fresh embedded PostgreSQL with fsync on."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "pg")
        endpoint = server.ensure_running()
        try:
            migrate(endpoint.owner_dsn)
            return uvloop.run(project(endpoint, Path(folder) / "keys", events, batch))
        finally:
            server.stop()


def main() -> None:
    """Print the result for people, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=1000)
    options = parser.parse_args()
    result = measure(options.events, options.batch)
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:16} {value}")


if __name__ == "__main__":
    main()
