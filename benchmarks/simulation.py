"""What-if over recorded requests: read from PostgreSQL, decide anew, price, compare.

    python -m benchmarks.simulation [--json] [--requests 10000]

The requests were decided by the product's own function under a policy with an experiment and three segments,
then recorded in the usage read model. Measured is the whole simulation: with the same policy, which must
change no route, and with a draft that sends everything elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from application.processes.simulation_answers import Simulation
from domain.kernel.events import Envelope
from domain.kernel.request_record import Attempt, RequestRecorded, TokenCounts
from domain.orchestration.catalogue import Target
from domain.orchestration.connection import Connection
from domain.orchestration.policy import ActivePolicy, Arm, Experiment, Policy, Rule
from domain.orchestration.provider_spec import ModelPrices, ModelSpec
from domain.orchestration.routing import RouteRequest, decide
from infrastructure.database.engines import engine
from infrastructure.database.migrate import migrate
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.live_routing import LiveRouting
from infrastructure.settings import Settings
from projections.generations import active_generation, install
from projections.leases import acquire
from projections.orchestration.live import PolicyDirectory, ProviderDirectory
from projections.projector import Projector
from projections.scope import tenant_connection
from projections.usage.past_requests import past_requests
from projections.usage.project import USAGE

START = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
TENANT = "bench"
DEFAULT = Target("a", "large")
PRICES = ModelPrices(input_per_mtok_usd=Decimal("1.5"), output_per_mtok_usd=Decimal(6))
MODELS = tuple(ModelSpec(name=name, prices=PRICES) for name in ("large", "small", "tiny"))
LIVE = Policy(
    rules=(
        Rule(segment="*", provider="a", model="large", fallback=("b/large", "small")),
        Rule(segment="gold", provider="b", model="large", fallback=("a/large",)),
        Rule(
            segment="tested",
            provider="a",
            model="small",
            experiment=Experiment(name="tone", arms=(Arm(model="small"), Arm(model="tiny", provider="b"))),
        ),
    ),
    fallback_strategy="cost",
)
DRAFT = Policy(rules=(Rule(segment="*", provider="b", model="tiny", fallback=("a/tiny",)),))


def routing(folder: Path) -> LiveRouting:
    """Return live routing with two providers."""
    providers = ProviderDirectory(
        [
            Connection(name=name, dialect="openai", base_url=f"http://{name}.test/v1", models=MODELS)
            for name in ("a", "b")
        ]
    )
    return LiveRouting(
        Settings(data_dir=folder),
        PolicyDirectory(),
        providers,
        default=DEFAULT,
        clock=lambda: datetime.now(UTC),
    )


def recorded(number: int, live: ActivePolicy, routes: LiveRouting) -> RequestRecorded:
    """Return a request as the gateway decides and records it."""
    started = START + timedelta(seconds=number)
    request = RouteRequest(
        model="auto",
        request_id=f"req_{number}",
        key_id=f"k{number % 20}",
        segment=(None, "gold", "tested")[number % 3],
        session=f"s{number % 900}",
    )
    catalogue, measures = routes.directory.catalogue(TENANT), routes.directory.measures(TENANT)
    route = decide(live, catalogue, request, DEFAULT, measures)
    usage = TokenCounts(input=50 + number % 4000, output=1 + number % 900)
    target = route.targets[0]
    cost = routes.prices.cost(TENANT, target, usage, started).cost_micros
    duration = 200 + number % 1700
    attempt = Attempt(
        provider=target.provider, model=target.model, outcome="ok", started_ms=1, duration_ms=duration
    )
    return RequestRecorded(
        request_id=request.request_id,
        operation="chat",
        dialect="openai",
        workspace="default",
        key_id=request.key_id,
        started_at=started,
        duration_ms=duration,
        outcome="succeeded",
        status=200,
        decision=route.decision,
        attempts=(attempt,),
        provider=target.provider,
        model=target.model,
        usage=usage,
        usage_source="provider",
        cost_micros=cost,
        segment=request.segment,
        session=request.session,
    )


async def project(endpoint: PostgresEndpoint, events: Sequence[RequestRecorded]) -> None:
    """Put the requests into the read model."""
    owner, system = engine(endpoint.owner_dsn), engine(endpoint.system_dsn)
    await install(owner, [USAGE])
    async with system.connect() as conn:
        generation = await active_generation(conn, USAGE.name)
    lease = await acquire(system, generation, "bench", 3600.0) if generation else None
    assert lease is not None
    projector = Projector(USAGE, lease, system)
    for first in range(0, len(events), 1000):
        batch = [envelope(event, first + n + 1) for n, event in enumerate(events[first : first + 1000])]
        await projector.settle(batch, first + len(batch))
    for each in (owner, system):
        await each.dispose()


def envelope(event: RequestRecorded, position: int) -> Envelope[Any]:
    """Return an event as read from the log."""
    return Envelope(
        position=position,
        tenant=TENANT,
        stream_id=f"{TENANT}/requests/2026-03",
        version=position,
        type=event.TYPE,
        schema_version=1,
        recorded_at=event.started_at,
        command_id=event.request_id,
        correlation="",
        actor="",
        event=event,
    )


async def simulate(app: AsyncEngine, routes: LiveRouting, draft: Policy, most: int) -> Simulation:
    """Simulate as the API does."""
    async with tenant_connection(app, TENANT) as conn:
        found = past_requests(conn, "default", START, START + timedelta(days=30), most + 1)
        return await routes.simulator.run(TENANT, "default", draft, found, most)


async def longest_pause(stop: asyncio.Event) -> float:
    """Return the longest time that the event loop let another task wait."""
    longest, before = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0)
        longest, before = max(longest, time.perf_counter() - before), time.perf_counter()
    return longest


async def compare(endpoint: PostgresEndpoint, folder: Path, requests: int) -> dict[str, Any]:
    """Record requests and simulate them under both policies."""
    routes = routing(folder)
    live = ActivePolicy(workspace_id="default", version=1, set_by="bench", set_at=START, policy=LIVE)
    await project(endpoint, [recorded(number, live, routes) for number in range(requests)])
    app, result = engine(endpoint.app_dsn), dict[str, Any](requests=requests)
    for name, draft in (("same", LIVE), ("other", DRAFT)):
        stop = asyncio.Event()
        pauses = asyncio.create_task(longest_pause(stop))
        begin = time.perf_counter()
        found = await simulate(app, routes, draft, requests)
        result[f"{name}_s"] = round(time.perf_counter() - begin, 3)
        stop.set()
        result[f"{name}_unchanged"] = found.unchanged
        result[f"{name}_longest_pause_ms"] = round(1000 * await pauses, 1)
    await app.dispose()
    return result


def measure(requests: int = 10_000) -> dict[str, Any]:
    """Measure on a fresh embedded PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "pg")
        endpoint = server.ensure_running()
        try:
            migrate(endpoint.owner_dsn)
            return uvloop.run(compare(endpoint, Path(folder), requests))
        finally:
            server.stop()


def main() -> None:
    """Print the result for people, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--requests", type=int, default=10_000)
    options = parser.parse_args()
    result = measure(options.requests)
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
