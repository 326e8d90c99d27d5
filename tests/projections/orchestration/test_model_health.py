"""Model health as the API shows it: judged from recent attempts, beside what was recorded."""

from __future__ import annotations

from datetime import timedelta

from domain.kernel.request_record import Attempt
from domain.orchestration.health_events import HealthStatus, ModelHealthChanged
from projections.orchestration.health_project import MODEL_HEALTH
from projections.orchestration.health_queries import ModelHealthView, judged_models, model_health
from projections.rebuild import rebuild
from projections.runner import worker_name
from projections.usage.attempts import recent_attempts
from tests.projections.conftest import Engines, Running, reached
from tests.projections.memory_tail import MemoryTail
from tests.projections.usage_world import START, UsageWorld, request

NOW = START + timedelta(hours=2)
ROWS = "SELECT * FROM model_health ORDER BY tenant, provider, model"


def attempt(outcome: str = "ok", model: str = "gpt-5", **fields: object) -> Attempt:
    usual = {"provider": "openai", "started_ms": 0, "duration_ms": 40, **fields}
    return Attempt(model=model, outcome=outcome, **usual)  # type: ignore[arg-type]  # a test's shorthand


def changed(status: HealthStatus, previous: HealthStatus = "unknown") -> ModelHealthChanged:
    return ModelHealthChanged(
        provider="openai", model="gpt-5", previous=previous, status=status, reason="told", changed_at=START,
        window_s=60, requests=10, error_rate=0.5, p95_latency_ms=12.5,
    )  # fmt: skip


async def health(
    engines: Engines, tenant: str = "t1", configured: tuple[tuple[str, str], ...] = ()
) -> dict[str, ModelHealthView]:
    world = await UsageWorld.open(engines)
    async with world.tenant(tenant) as conn:
        views = await model_health(conn, tenant, now=NOW, attempts=recent_attempts, configured=configured)
    return {view.model: view for view in views}


async def test_every_attempt_counts_for_its_own_model(engines: Engines, running: Running) -> None:
    # given requests of which each fell back once
    async with running(MemoryTail(), [MODEL_HEALTH]):
        await reached(engines, "model_health", 0)
    world = await UsageWorld.open(engines)
    seconds_ago = NOW - timedelta(seconds=30)
    fell_back = (attempt("status", "gpt-5", status=503), attempt("ok", "gpt-5-mini", started_ms=50))
    await world.record(*[request(started_at=seconds_ago, attempts=fell_back)] * 12)
    await world.record(request(started_at=seconds_ago, attempts=(attempt("refused", "other"),)), tenant="t2")
    # when
    found = await health(engines, configured=(("local", "smollm2"),))
    # then
    assert {name: view.status for name, view in found.items()} == {
        "gpt-5": "unhealthy",
        "gpt-5-mini": "healthy",
        "smollm2": "unknown",
    }
    failing, working = found["gpt-5"], found["gpt-5-mini"]
    assert (failing.error_rate, failing.requests, failing.window_s) == (1.0, 12, 60)
    assert (failing.avg_latency_ms, working.avg_latency_ms) == (None, 40.0)
    assert (working.p50_latency_ms, working.p95_latency_ms, working.last_transition) == (40.0, 40.0, None)


async def test_the_last_recorded_change_is_shown_and_rebuilt(engines: Engines, running: Running) -> None:
    # given
    tail = MemoryTail()
    tail.append(changed("healthy"), changed("unhealthy", "healthy"))
    tail.append(changed("unknown"), tenant="t2")
    # when
    async with running(tail, [MODEL_HEALTH]):
        await reached(engines, "model_health", 3)
    view = (await health(engines))["gpt-5"]
    # then
    assert view.last_transition
    assert (view.last_transition.previous, view.last_transition.status) == ("healthy", "unhealthy")
    assert (view.last_transition.at, view.last_transition.position) == (START, 2)
    async with engines.system.connect() as conn:
        assert await judged_models(conn) == [("t1", "openai", "gpt-5")]
    before = await engines.rows(ROWS)
    await rebuild(MODEL_HEALTH, tail=tail, system=engines.system, owner=engines.owner, worker=worker_name())
    assert await engines.rows(ROWS) == before


async def test_recent_attempts_are_those_of_all_tenants_for_the_system(engines: Engines) -> None:
    # given
    world = await UsageWorld.open(engines)
    for number, tenant in enumerate(("t1", "t2", "t3")):
        await world.record(
            request(started_at=START, attempts=(attempt(model="old"),)),
            request(started_at=NOW - timedelta(minutes=number + 1), attempts=(attempt(model="new"),)),
            request(started_at=NOW - timedelta(minutes=1), attempts=(attempt(model="n" * 300),)),
            tenant=tenant,
        )
    # when
    since = NOW - timedelta(hours=1)
    async with engines.system.connect() as conn:
        seen = await recent_attempts(conn, since, NOW)
        few = await recent_attempts(conn, START, NOW, most=2)
    async with world.tenant("t2") as conn:
        own = await recent_attempts(conn, since, NOW)
    # then
    assert [(tenant, found.model) for tenant, _, found in seen] == [
        ("t3", "new"),
        ("t2", "new"),
        ("t1", "new"),
    ]
    assert seen[0][1] == NOW - timedelta(minutes=3) + timedelta(milliseconds=40)
    assert {found.model for _, _, found in few} == {"new"}
    assert [tenant for tenant, _, _ in own] == ["t2"]
