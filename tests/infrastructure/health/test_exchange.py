"""Two processes and one Valkey: health converges, one lease at a time, and life without Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from application.orchestration.health import Change, Key, TargetHealth
from domain.kernel.request_record import Attempt, Decision
from domain.orchestration.breaker import OPEN_S
from domain.orchestration.catalogue import Target
from domain.orchestration.routing import Route
from infrastructure.health.exchange import LEASE, STREAM, HealthExchange
from tests import services

A, B = Target("a", "m"), Target("b", "m")
KEY = Key("acme", "a", "m", "")
ROUTE = Route(decision=Decision(requested_model="auto", targets=("a/m", "b/m")), targets=(A, B))


@dataclass
class Time:
    """Real time plus what a test adds, so that entries in Redis are as old as they should be."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Process:
    """One API process as far as health goes."""

    health: TargetHealth
    exchange: HealthExchange
    recorded: list[Change] = field(default_factory=list)

    def meets(self, outcome: str = "status", status: int | None = 503, after: float | None = None) -> None:
        self.health.observe(
            "acme",
            Attempt(provider="a", model="m", outcome=outcome, status=status, started_ms=0, duration_ms=1),
            after,
        )

    def first(self) -> Target:
        return self.health.filter("acme", ROUTE).targets[0]

    def status(self) -> str:
        found = self.health.status("acme", "a", "m")
        return found.status if found else "unknown"


def process(redis: Redis, clock: Time) -> Process:
    health = TargetHealth(lambda _tenant, _provider: "", clock)
    recorded: list[Change] = []

    async def record(change: Change) -> None:
        recorded.append(change)

    return Process(health, HealthExchange(health, redis, record), recorded)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.running_valkey(services.session_directory(tmp_path_factory) / "valkey") as endpoint:
        yield endpoint.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client: Redis = Redis.from_url(redis_url)
    for key in [STREAM, *[each async for each in client.scan_iter(LEASE + "*")]]:
        await client.delete(key)
    yield client
    await client.aclose()


async def ticks(*processes: Process) -> None:
    for each in processes:
        await each.exchange.tick()


async def test_health_converges_in_two_processes(redis: Redis) -> None:
    # given failures that only add up to five together
    clock = Time()
    one, two = process(redis, clock), process(redis, clock)
    for _ in range(3):
        one.meets()
    for _ in range(2):
        two.meets()
    assert (one.status(), two.status()) == ("unknown", "unknown")
    # when
    await ticks(one, two, one)
    # then
    assert (one.status(), two.status()) == ("unhealthy", "unhealthy")
    assert (one.first(), two.first()) == (B, B)
    assert await redis.ttl(STREAM) > 0


async def test_a_process_that_starts_later_knows_too(redis: Redis) -> None:
    clock = Time()
    one = process(redis, clock)
    for _ in range(5):
        one.meets()
    await ticks(one)
    late = process(redis, clock)
    await ticks(late)
    assert late.status() == "unhealthy"
    assert [change.status for change in one.recorded] == ["unhealthy"]
    assert late.recorded == []


async def test_half_open_admits_exactly_one_of_two_processes(redis: Redis) -> None:
    # given an open breaker that both processes have requests for
    clock = Time()
    one, two = process(redis, clock), process(redis, clock)
    for _ in range(5):
        one.meets()
    await ticks(one, two)
    assert (one.first(), two.first()) == (B, B)
    # when it is time for a probe
    clock.ahead += OPEN_S[0]
    await asyncio.gather(one.exchange.tick(), two.exchange.tick())
    firsts = [each.first() for each in (one, two) for _ in range(5)]
    # then
    assert firsts.count(A) == 1
    assert 0 < await redis.pttl(LEASE + "\0".join(KEY)) <= 35_000
    # and a failed probe closes the door in both
    prober, other = (one, two) if firsts.index(A) < 5 else (two, one)
    prober.meets()
    await ticks(prober, other, other)
    assert (prober.first(), other.first()) == (B, B)


async def test_recovery_reaches_every_process(redis: Redis) -> None:
    # given
    clock = Time()
    one, two = process(redis, clock), process(redis, clock)
    for _ in range(5):
        one.meets()
    await ticks(one, two)
    # when it is mended and requests keep coming
    probes = 0
    for _ in range(60):
        clock.ahead += 0.5
        await ticks(one, two)
        for each in (one, two):
            if each.first() == A:
                probes += 1
                each.meets("ok", 200)
        if one.status() == two.status() == "healthy":
            break
    # then
    assert (one.status(), two.status()) == ("healthy", "healthy")
    assert clock.ahead < 15
    await ticks(one, two)
    statuses = [change.status for change in (*one.recorded, *two.recorded)]
    assert statuses == ["unhealthy", "healthy"]
    assert probes >= 3


async def test_a_throttled_provider_returns_after_its_time_everywhere(redis: Redis) -> None:
    clock = Time()
    one, two = process(redis, clock), process(redis, clock)
    one.meets("status", 429, after=20)
    await ticks(one, two)
    assert (one.first(), two.first()) == (B, B)
    assert two.status() == "throttled"
    clock.ahead += 20
    assert (one.first(), two.first()) == (A, A)


async def test_an_unused_lease_is_given_to_whoever_has_requests(redis: Redis) -> None:
    # given a lease held by a process that died
    clock = Time()
    one = process(redis, clock)
    for _ in range(5):
        one.meets()
    one.first()
    await redis.set(LEASE + "\0".join(KEY), "somebody", px=60_000)
    clock.ahead += OPEN_S[0]
    await ticks(one)
    assert one.first() == B
    # when it has ended
    await redis.delete(LEASE + "\0".join(KEY))
    await ticks(one)
    # then
    assert one.first() == A


async def test_without_redis_a_process_judges_and_probes_alone() -> None:
    # given
    nowhere: Redis = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    clock = Time()
    alone = process(nowhere, clock)
    for _ in range(5):
        alone.meets()
    await ticks(alone)
    assert alone.first() == B
    assert [change.status for change in alone.recorded] == ["unhealthy"]
    # when
    clock.ahead += OPEN_S[0]
    await ticks(alone, alone)
    # then
    assert [alone.first() for _ in range(3)] == [A, B, B]
    await nowhere.aclose()


async def test_a_report_of_another_version_is_passed_over(redis: Redis) -> None:
    await redis.xadd(STREAM, {"node": "x", "reports": b"\xff\x00nonsense"})
    one = process(redis, Time())
    await ticks(one)
    assert one.status() == "unknown"
