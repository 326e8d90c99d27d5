"""What a quota costs a gateway request: CPU time of admission, settling and headers, with and without.

Contenders take turns in one process: no limit at all, one hard limit, and four scopes with two limits each,
all from slices in memory; `bound only` is what every request pays for its max_tokens. The ledger's round
trip, which few requests need, is not in it. Target: at most 50 microseconds of CPU a request from a lease.

Then the whole gateway (`quota_gateway`), to show that nothing was missed.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import UTC, datetime

from application.bus import Caller
from application.orchestration.dialects.requests import parse_chat
from application.processes.gateway.admission import Admission, NoQuotas
from application.processes.gateway.call import GatewayCall
from application.processes.gateway.quota_admission import QuotaAdmission
from benchmarks.quota_gateway import PLENTY, whole_gateway
from domain.kernel.events import Envelope
from domain.kernel.request_record import Attempt, Decision, RequestRecorded, TokenCounts
from domain.orchestration.catalogue import Catalogue, Offer, Target
from domain.orchestration.routing import Route
from domain.usage.events import QuotaSet
from domain.usage.pricing import Price, UnitPrices, cost_bound_micros
from domain.usage.quota import Account, QuotaLimits, Scope
from domain.usage.quota_slices import Slice
from infrastructure.database.engines import pool
from infrastructure.quota.counters import QuotaCounters
from infrastructure.quota.service import QuotaService
from projections.usage.quota_live import QuotaDirectory

AT = datetime(2026, 11, 20, tzinfo=UTC)
ROUNDS, REQUESTS = 15, 2000
PRICES = UnitPrices(version="book", input=Price(150_000_000), output=Price(600_000_000))
TARGET = Target("openai", "gpt")
CATALOGUE = Catalogue([Offer("openai")])
CALLER = Caller(tenant="acme", actor="key/k1", roles=frozenset(), correlation="r", command_id="r")
REQUEST = parse_chat(b'{"model":"auto","messages":[{"role":"user","content":"hello there"}],"max_tokens":64}')
ROUTE = Route(decision=Decision(requested_model="auto"), targets=(TARGET,))
RECORD = RequestRecorded(
    request_id="r",
    operation="chat",
    dialect="openai",
    workspace="w1",
    key_id="k1",
    started_at=AT,
    duration_ms=1,
    outcome="succeeded",
    status=200,
    decision=ROUTE.decision,
    attempts=(Attempt(provider="openai", model="gpt", outcome="ok", started_ms=0, duration_ms=1),),
    usage=TokenCounts(input=10, output=12),
    cost_micros=9,
)


class BookPrices:
    """One price for everything."""

    def bound(self, tenant: str, target: Target, input_tokens: int, output_tokens: int, at: datetime) -> int:
        """Return the most that tokens cost."""
        return cost_bound_micros(input_tokens, output_tokens, PRICES)


def call_of(request_id: str) -> GatewayCall:
    """Return a request that names every scope."""
    return GatewayCall(
        caller=CALLER,
        request=REQUEST,
        request_id=request_id,
        started=0.0,
        started_at=AT,
        workspace="w1",
        segment="vip",
        user="ann",
    )


def admission(*scopes: Scope, money: bool) -> Admission:
    """Return an admission whose slices are full."""
    directory = QuotaDirectory()
    unopened = pool("postgresql://nobody@127.0.0.1:1/none")
    service = QuotaService(unopened, "postgresql://nobody@127.0.0.1:1/none", QuotaCounters())
    service.slices.fresh_until = time.monotonic() + 3600
    for version, scope in enumerate(scopes, 1):
        limits = QuotaLimits(monthly_token_limit=PLENTY, monthly_cost_limit_micros=PLENTY if money else None)
        event = QuotaSet(scope=scope.kind, scope_id=scope.id, version=version, set_at=AT, limits=limits)
        directory.apply(
            Envelope(
                position=version, tenant="acme", stream_id="s", version=1, type=event.TYPE, schema_version=1,
                recorded_at=AT, command_id="c", correlation="", actor="", event=event,
            )
        )  # fmt: skip
        for unit in limits.units:
            account = Account("acme", scope.kind, scope.id, "2026-11", unit)
            service.slices.table[account] = Slice(granted=PLENTY)
            service.slices.used[account] = 0
    return QuotaAdmission(directory, service, BookPrices(), lambda tenant, user: f"s_{user}")


async def cpu_us(chosen: Admission) -> float:
    """Return microseconds of CPU a request: admit, note the dispatch, settle, make the headers."""
    calls = [call_of(f"r{number}") for number in range(REQUESTS)]
    began = time.process_time()
    for call in calls:
        admitted = await chosen.admit(call, ROUTE, CATALOGUE)
        admitted.dispatched(lambda _usage, _cost: RECORD)
        admitted.settle(RECORD)
        admitted.headers()
    return (time.process_time() - began) * 1e6 / REQUESTS


async def admissions() -> None:
    """Let the contenders take turns and print medians."""
    four = (Scope("tenant"), Scope("workspace", "w1"), Scope("key", "k1"), Scope("segment", "vip"))
    contenders = {
        "bound only (no quotas)": NoQuotas(),
        "quotas, none of this tenant": admission(money=False),
        "one limit in tokens": admission(Scope("tenant"), money=False),
        "one scope, tokens and money": admission(Scope("tenant"), money=True),
        "four scopes, tokens and money": admission(*four, money=True),
    }
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, chosen in contenders.items():
            found[name].append(await cpu_us(chosen))
    base = statistics.median(found["bound only (no quotas)"])
    print(f"{'contender':32} {'us CPU a request':>18} {'added':>8}")
    for name, values in found.items():
        median = statistics.median(values)
        print(f"{name:32} {median:18.1f} {median - base:8.1f}")


if __name__ == "__main__":
    asyncio.run(admissions())
    whole_gateway()
