"""The gateway without the product around it: providers in memory, a log in memory, prices one can add up."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from application.bus import Caller
from application.memory.pii import PiiScrubbing, PseudonymOwner
from application.memory.pii_phone_plans import LibraryPhonePlans
from application.orchestration.dialects.requests import (
    parse_chat,
    parse_count_tokens,
    parse_embeddings,
    parse_messages,
)
from application.orchestration.health import TargetHealth
from application.orchestration.upstream import ProviderSpec
from application.ports import Appended, AppendRequest
from application.processes.gateway.admission import Admission, NoQuotas
from application.processes.gateway.call import Environment, GatewayCall, Priced
from application.processes.gateway.gateway import Gateway
from application.processes.gateway.outcome import Refused, Streamed, Whole
from application.processes.gateway.pii.guard import Scrubs
from domain.kernel.errors import Unavailable
from domain.kernel.request_record import Attempt, RequestRecorded, TokenCounts
from domain.memory.pii.phones import PhonePlans
from domain.memory.pii.scrubbing import KeyedFunction
from domain.orchestration.catalogue import Catalogue, Offer, Target
from domain.orchestration.policy import ActivePolicy, Policy, Rule
from domain.orchestration.provider_spec import ModelSpec
from domain.orchestration.routing import Measures
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.upstream_port import FakeUpstreamPort

TENANT = "acme"
AT = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
CALLER = Caller(
    tenant=TENANT, actor="key/k1", roles=frozenset({"service"}), correlation="req_1", command_id="cmd_1"
)
PARSERS = {
    "chat": parse_chat,
    "messages": parse_messages,
    "embeddings": parse_embeddings,
    "count_tokens": parse_count_tokens,
}
HELLO = [{"role": "user", "content": "hello there"}]


class LinearPrices:
    """One micro-dollar an input token, two an output token; models called `unknown` have no price."""

    def cost(self, tenant: str, target: Target, usage: TokenCounts, at: datetime) -> Priced:
        if target.model == "unknown":
            return Priced(None, "unpriced")
        return Priced((usage.input or 0) + 2 * (usage.output or 0), "book-1")


def subject_of(tenant: str, user: str) -> str:
    """Return the reference of a person."""
    return f"subject-of-{tenant}-{user}"


class OneKey:
    """Gives every owner of pseudonyms the same key."""

    async def keyed(self, owner: PseudonymOwner) -> KeyedFunction:
        return lambda data: hmac.digest(b"k" * 32, data, hashlib.sha256)


@dataclass
class World:
    """Providers `one`, `two` (OpenAI dialect) and `claude` (Anthropic dialect), and a gateway over them."""

    policy_set: Policy | None = None
    drain_seconds: float = 0.0
    upstream: FakeUpstreamPort = field(default_factory=FakeUpstreamPort)
    log: InMemoryEventLog = field(default_factory=InMemoryEventLog)
    observed: list[Attempt] = field(default_factory=list)
    outages: int = 0
    removed: set[str] = field(default_factory=set)
    temperature: float | None = None
    context_windows: dict[str, int] = field(default_factory=dict)
    plans: PhonePlans = field(default_factory=LibraryPhonePlans)

    def __post_init__(self) -> None:
        self.health = TargetHealth(lambda _tenant, provider: f"cred-{provider}", time.time)
        self.admit_by(NoQuotas())

    def admit_by(self, admission: Admission) -> None:
        """Begin anew with other quotas."""
        self.gateway = Gateway(
            Environment(
                directory=self,
                prices=LinearPrices(),
                health=self.health,
                append=self._append,
                subject_reference=subject_of,
                observe=lambda _tenant, attempt: self.observed.append(attempt),
                ready=lambda: None,
                default_target=Target("one", "default"),
                default_temperature=self.temperature,
            ),
            self.upstream,
            admission,
            scrubs=Scrubs(PiiScrubbing(self.plans, OneKey()), subject_of),
        )

    def policy(self, tenant: str, workspace: str) -> ActivePolicy | None:
        if self.policy_set is None:
            return None
        return ActivePolicy(
            workspace_id=workspace, version=3, set_by="key/k0", set_at=AT, policy=self.policy_set
        )

    def catalogue(self, tenant: str) -> Catalogue:
        sized = tuple(ModelSpec(name=n, context_window=w) for n, w in self.context_windows.items())
        return Catalogue([Offer("one"), Offer("two"), Offer("claude"), Offer("sized", sized)])

    def provider(self, tenant: str, name: str) -> ProviderSpec:
        if name in self.removed:
            raise Unavailable(f"provider {name}", f"provider '{name}' was removed; ask again")
        return ProviderSpec(
            name=name,
            dialect="anthropic" if name == "claude" else "openai",
            base_url=f"http://{name}.test",
            credential_id=f"cred-{name}",
            drain_seconds=self.drain_seconds,
        )

    def measures(self, tenant: str) -> Measures:
        return Measures()

    async def _append(self, request: AppendRequest) -> Appended:
        if self.outages > 0:
            self.outages -= 1
            raise Unavailable("database", "the database is away")
        return await self.log.append(request)

    @property
    def records(self) -> list[RequestRecorded]:
        events = [envelope.event for envelope in self.log.envelopes]
        return [event for event in events if isinstance(event, RequestRecorded)]

    @property
    def record(self) -> RequestRecorded:
        (only,) = self.records
        return only

    async def until(self, true: Callable[[], bool]) -> None:
        """Let the event loop run until something is so."""
        async with asyncio.timeout(10):
            while not true():  # noqa: ASYNC110 - the fakes have no events to wait for
                await asyncio.sleep(0.002)

    async def eventually_recorded(self) -> RequestRecorded:
        """Return the record of a request whose client did not wait for it."""
        await self.until(lambda: bool(self.records))
        return self.record


def call(operation: str = "chat", *, number: int = 1, caller: Caller = CALLER, **given: Any) -> GatewayCall:
    """Return a call; fields of GatewayCall stay, everything else goes into the body."""
    fields = {name: given.pop(name) for name in list(given) if name in GatewayCall.__struct_fields__}
    body: dict[str, Any] = {"model": "auto", "messages": HELLO}
    if operation == "messages":
        body["max_tokens"] = 64
    if operation == "embeddings":
        body = {"model": "auto", "input": "hello there"}
    return GatewayCall(
        caller=caller,
        request=PARSERS[operation](json.dumps(body | given).encode()),
        request_id=f"req_{number}",
        started=time.monotonic(),
        started_at=AT,
        **fields,
    )


def rules(*targets: str, **options: Any) -> Policy:
    """Return a policy that sends everything to the first target, with the others as its fallback."""
    provider, _, model = targets[0].partition("/")
    own = {name: options.pop(name) for name in list(options) if name in Rule.__struct_fields__}
    rule = Rule(segment="*", provider=provider, model=model, fallback=targets[1:], **own)
    return Policy(rules=(rule,), **options)


async def whole(world: World, given: GatewayCall) -> tuple[Whole, Any]:
    """Serve a request that is not streamed, and decode its body."""
    served = await world.gateway.serve(given)
    assert isinstance(served, Whole)
    return served, json.loads(served.body)


async def refused(world: World, given: GatewayCall) -> Refused:
    """Serve a request that must be refused."""
    try:
        await world.gateway.serve(given)
    except Refused as error:
        return error
    raise AssertionError("the request was answered")


async def streamed(world: World, given: GatewayCall) -> tuple[Streamed, bytes]:
    """Serve a stream to its end."""
    served = await world.gateway.serve(given)
    assert isinstance(served, Streamed)
    return served, b"".join([chunk async for chunk in served.chunks])
