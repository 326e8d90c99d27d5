"""The health check on real read models, and probes of a provider that allows them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from application.orchestration.specs import ProviderSpecs
from application.workflows.running import WorkflowRun
from domain.kernel.request_record import Attempt, Decision, RequestRecorded
from domain.orchestration.events import ProviderRegistered, ProviderRemoved
from domain.orchestration.health_events import ModelHealthChanged
from domain.orchestration.provider_spec import ModelSpec
from domain.workflows.catalogue import MODEL_HEALTH_CHECK
from infrastructure.database.engines import engine
from infrastructure.jobs.health import SdkProber, model_health_check
from projections.orchestration.health_project import MODEL_HEALTH
from projections.runner import Runner
from projections.usage.project import USAGE
from projections.wait import ProjectionWaiter
from tests.fakes.upstream import FakeUpstream
from tests.infrastructure.jobs.bench import Bench


def clock() -> datetime:
    return datetime.now(UTC)


def run(number: int = 1) -> WorkflowRun:
    return WorkflowRun(
        run_id=f"run-{number}",
        tenant="default",
        definition=MODEL_HEALTH_CHECK,
        due_at=clock(),
        correlation="r1",
        effect_id=f"effect-{number}",
    )


def request(outcome: str, status: int | None = None) -> RequestRecorded:
    attempt = Attempt(
        provider="openai", model="gpt-5", outcome=outcome, started_ms=0, duration_ms=20, status=status
    )
    return RequestRecorded(
        request_id="req_1", operation="chat", dialect="openai", workspace="default", key_id="k",
        started_at=clock() - timedelta(seconds=5), duration_ms=20, outcome="succeeded", status=200,
        decision=Decision(requested_model="auto"), attempts=(attempt,), provider="openai", model="gpt-5",
    )  # fmt: skip


def provider(server: FakeUpstream, *, allow_probe: bool = True) -> ProviderRegistered:
    return ProviderRegistered(
        name="own", revision=1, registered_at=clock(), dialect="openai", base_url=server.openai_base_url,
        models=(ModelSpec(name="fake-large"), ModelSpec(name="fault:500")), allow_probe=allow_probe,
        credential_id="provider/own@1", api_key="sk-own",
    )  # fmt: skip


@pytest.fixture
async def system(bench: Bench) -> AsyncIterator[AsyncEngine]:
    """An engine that sees every tenant."""
    made = engine(bench.store.endpoint.system_dsn)
    yield made
    await made.dispose()


@pytest.fixture
async def server() -> AsyncIterator[FakeUpstream]:
    """A provider on loopback."""
    async with FakeUpstream() as up:
        yield up


@asynccontextmanager
async def projecting(bench: Bench, system: AsyncEngine) -> AsyncIterator[ProjectionWaiter]:
    """Keep the read models up to date while the block runs."""
    owner = engine(bench.store.endpoint.owner_dsn)
    projections = (USAGE, MODEL_HEALTH)
    task = asyncio.create_task(Runner(projections, bench.store.tail, system=system, owner=owner).run())
    waiter = ProjectionWaiter(system, [p.name for p in projections])
    await waiter.start()
    try:
        yield waiter
    finally:
        await waiter.close()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await owner.dispose()


async def test_the_check_judges_what_requests_of_all_tenants_met(bench: Bench, system: AsyncEngine) -> None:
    async with projecting(bench, system) as waiter:
        # given one tenant whose model fails, one whose model works
        for _ in range(5):
            await bench.append(request("status", 503), "acme")
            last = await bench.append(request("ok", 200), "beta")
        assert await waiter.caught_up(last, timeout_s=20.0)
        # when
        check = model_health_check(bench.store.log, system, clock)
        counts = await check(run())
        # then
        assert counts == {"models": 2, "changed": 2, "probed": 0}
        changes = [e async for e in bench.store.log.read(types=[ModelHealthChanged.TYPE])]
        assert {(e.tenant, e.event.status) for e in changes} == {("acme", "unhealthy"), ("beta", "healthy")}
        # and again, with nothing new
        assert await waiter.caught_up(changes[-1].position, timeout_s=20.0)
        assert (await check(run(2)))["changed"] == 0


async def test_only_providers_that_allow_it_are_probed(bench: Bench, server: FakeUpstream) -> None:
    # given
    prober = SdkProber(bench.store.log, ProviderSpecs())
    await bench.append(provider(server), "acme")
    await bench.append(provider(server, allow_probe=False), "beta")
    # when
    models = await prober.models()
    answers = [await prober.ask(model) for model in models]
    # then
    assert models == [("acme", "own", "fake-large"), ("acme", "own", "fault:500")]
    assert [(a.model, a.outcome, a.status) for a in answers if a] == [
        ("fake-large", "ok", None),
        ("fault:500", "status", 500),
    ]
    assert await prober.ask(("beta", "own", "fake-large")) is None
    await bench.append(ProviderRemoved(name="own"), "acme")
    assert await prober.models() == []
