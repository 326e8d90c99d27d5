"""A usage projection to feed by hand, and the sums it must show, worked out from the events alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.kernel.request_record import Attempt, Decision, RequestRecorded, TokenCounts
from projections.generations import active_generation, install
from projections.leases import acquire
from projections.projector import Projector
from projections.scope import tenant_connection
from projections.usage.project import USAGE
from tests.projections.conftest import Engines
from tests.projections.memory_tail import envelope

START = datetime(2026, 3, 14, tzinfo=UTC)
ATTEMPT = Attempt(provider="openai", model="gpt-5", outcome="ok", started_ms=0, duration_ms=5)


def request(**fields: Any) -> RequestRecorded:
    """Return the record of an ordinary request, with what matters to a test."""
    usual: dict[str, Any] = {
        "request_id": "req_1",
        "operation": "chat",
        "dialect": "openai",
        "workspace": "default",
        "key_id": "key_1",
        "started_at": START,
        "duration_ms": 100,
        "outcome": "succeeded",
        "status": 200,
        "decision": Decision(requested_model="auto"),
        "attempts": (ATTEMPT,),
        "provider": "openai",
        "model": "gpt-5",
        "usage": TokenCounts(input=10, output=5),
        "usage_source": "provider",
        "cost_micros": 30,
    }
    return RequestRecorded(**{**usual, **fields})


class UsageWorld:
    """Appends requests and projects them at once."""

    def __init__(self, engines: Engines, projector: Projector) -> None:
        self._engines = engines
        self._projector = projector

    @classmethod
    async def open(cls, engines: Engines) -> UsageWorld:
        await install(engines.owner, [USAGE])
        async with engines.system.connect() as conn:
            active = await active_generation(conn, USAGE.name)
        lease = await acquire(engines.system, active, "test", 600.0) if active else None
        assert lease
        return cls(engines, Projector(USAGE, lease, engines.system))

    @property
    def position(self) -> int:
        return self._projector.position

    async def record(self, *events: RequestRecorded, tenant: str = "t1") -> None:
        """Project the records as one batch."""
        first = self.position + 1
        batch = [envelope(event, first + n, tenant) for n, event in enumerate(events)]
        await self._projector.settle(batch, first + len(batch) - 1)

    def tenant(self, tenant: str = "t1") -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a connection as the request path does."""
        return tenant_connection(self._engines.app, tenant)


def started_in(events: Iterable[RequestRecorded], from_: datetime, to: datetime) -> list[RequestRecorded]:
    """Return the usage of a period by going through all events."""
    return [e for e in events if from_ <= e.started_at < to and e.attempts and e.operation != "count_tokens"]


def expected_sums(events: Sequence[RequestRecorded]) -> dict[str, Any]:
    """Return what the totals must be, computed from the events themselves."""
    tokens: Counter[str] = Counter()
    for event in events:
        for name, count in vars_of(event.usage).items():
            tokens[name] += count or 0
    return {
        "requests": len(events),
        "input_tokens": tokens["input"],
        "output_tokens": tokens["output"],
        "total_tokens": tokens["input"] + tokens["output"],
        "cached_tokens": tokens["cached_input"],
        "cache_write_tokens": tokens["cache_write"],
        "reasoning_tokens": tokens["reasoning"],
        "cost_micros": sum(event.cost_micros or 0 for event in events),
        "unpriced_requests": sum(event.unpriced for event in events),
    }


def vars_of(usage: TokenCounts | None) -> dict[str, int | None]:
    """Return the counts by name."""
    return {name: getattr(usage, name) for name in TokenCounts.__struct_fields__} if usage else {}


counts = st.one_of(st.none(), st.integers(0, 10**12))
moments = st.one_of(
    st.timedeltas(timedelta(days=-2), timedelta(days=3)),
    st.integers(-72, 72).map(lambda hours: timedelta(hours=hours)),
    st.sampled_from((-41, -13, 18, 48)).map(lambda days: timedelta(days=days)),  # firsts of months
).map(lambda since: START + since)
requests = st.builds(
    request,
    started_at=moments,
    workspace=st.sampled_from(["default", "sales"]),
    segment=st.sampled_from([None, "gold", "g" * 400]),
    key_id=st.sampled_from(["key_1", "key_2"]),
    provider=st.sampled_from([None, "openai", "local"]),
    model=st.sampled_from([None, "gpt-5", "smollm2"]),
    subject=st.sampled_from([None, "s1", "s2"]),
    outcome=st.sampled_from(["succeeded", "failed", "cancelled"]),
    operation=st.sampled_from(["chat", "chat", "embeddings", "count_tokens"]),
    attempts=st.sampled_from([(), (ATTEMPT,), (ATTEMPT, ATTEMPT)]),
    usage=st.one_of(
        st.none(),
        st.builds(
            TokenCounts,
            input=counts,
            cached_input=counts,
            cache_write=counts,
            output=counts,
            reasoning=counts,
        ),
    ),
    usage_source=st.sampled_from(["provider", "estimated", "none"]),
    cost_micros=counts,
    unpriced=st.booleans(),
    duration_ms=st.integers(0, 700_000),
)
