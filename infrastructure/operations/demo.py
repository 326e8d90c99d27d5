"""Fills the tenant `demo` with realistic data, through the same commands and events as real use.

Every command id is fixed, so running it again changes nothing and shows the same keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from application.bus import Command
from application.orchestration.commands import RegisterProvider, SetModelPolicy
from application.orchestration.inputs import ModelInput, PricesInput, RuleInput
from application.ports import Appended, AppendRequest, NewEvent
from application.processes.pricing import TenantPrices
from application.tenancy.commands import CreateKey, CreateTenant
from application.usage.pricer import Pricer
from domain.kernel.aggregate import stream_id
from domain.kernel.names import DEFAULT_TENANT
from domain.kernel.request_record import RequestRecorded, TokenCounts
from domain.orchestration.catalogue import Target
from domain.orchestration.connection import Connection
from domain.tenancy.roles import Role
from infrastructure.operations.administration import Administration, administration
from infrastructure.operations.demo_memories import demo_memories
from infrastructure.operations.demo_requests import Price, demo_requests
from infrastructure.pricing.book import PackagedPriceBook
from infrastructure.providers.catalog import builtin_providers
from infrastructure.runtime import Endpoints
from infrastructure.settings import Settings
from projections.orchestration.live import ProviderDirectory

TENANT = "demo"
CHUNK = 500
CAUGHT_UP_WITHIN_S = 30.0
KEYS: Sequence[tuple[str, Role, str | None]] = (
    ("Platform team", "operator", None),
    ("Compliance", "auditor", None),
    ("Product backend", "service", "default"),
    ("Support desk", "service", "support"),
)
PROVIDER = RegisterProvider(
    name="acme-llm",
    dialect="openai",
    base_url="https://llm.acme.example/v1",
    api_key="sk-demo-not-a-real-key",
    models=(
        ModelInput(
            name="acme-70b",
            prices=PricesInput(input_per_mtok_usd=Decimal("0.60"), output_per_mtok_usd=Decimal("0.90")),
            context_window=128_000,
        ),
        ModelInput(
            name="acme-8b",
            prices=PricesInput(input_per_mtok_usd=Decimal("0.08"), output_per_mtok_usd=Decimal("0.12")),
            context_window=32_000,
        ),
    ),
)


def _rule(segment: str, target: str, *fallback: str, budget_ms: int | None = None) -> RuleInput:
    provider, _, model = target.partition("/")
    return RuleInput(
        segment=segment, provider=provider, model=model, fallback=fallback, latency_budget_ms=budget_ms
    )


_ENTERPRISE = _rule(
    "enterprise", "anthropic/claude-sonnet-4-5", "openai/gpt-4.1", "acme-llm/acme-70b", budget_ms=30_000
)
_STANDARD = _rule("standard", "openai/gpt-4.1-mini", "acme-llm/acme-8b", budget_ms=20_000)
_OTHERS = _rule("*", "acme-llm/acme-8b", "local/smollm2-135m-instruct")
POLICIES: Sequence[SetModelPolicy] = (
    SetModelPolicy(rules=(_rule("*", "openai/gpt-4.1-mini"),)),
    SetModelPolicy(rules=(_STANDARD, _rule("*", "openai/gpt-4.1-mini", "acme-llm/acme-8b"))),
    SetModelPolicy(rules=(_ENTERPRISE, _STANDARD, _OTHERS), fallback_strategy="quality"),
    SetModelPolicy(workspace_id="support", rules=(_rule("*", "openai/gpt-4.1-mini"),)),
    SetModelPolicy(
        workspace_id="support",
        rules=(
            _rule("chat", "anthropic/claude-haiku-4-5", "openai/gpt-4.1-mini", budget_ms=8_000),
            _rule("*", "openai/gpt-4.1-mini", "local/smollm2-135m-instruct"),
        ),
        fallback_strategy="latency",
    ),
)


async def load_demo(settings: Settings, where: Endpoints, control_types: Sequence[str]) -> dict[str, Any]:
    """Load the demo and return its keys, and how many requests were new. Takes a few seconds."""
    async with administration(settings, where, control_types) as admin:
        founded = await _do(admin, CreateTenant(tenant_id=TENANT, name="Demo Ltd"), "tenant", DEFAULT_TENANT)
        keys = {
            name: await _do(admin, CreateKey(name=name, roles=(role,), workspace_id=workspace), f"key-{name}")
            for name, role, workspace in KEYS
        }
        provider = await _do(admin, PROVIDER, "provider")
        for number, policy in enumerate(POLICIES):
            await _do(admin, policy, f"policy-{number}")
        by_workspace = {made.workspace_id: made.key_id for made in keys.values() if made.workspace_id}
        until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        price = await asyncio.to_thread(_price, settings, until, provider.base_url)
        requests = demo_requests(
            until, by_workspace, lambda user: admin.runtime.keyring.subject_reference(TENANT, user), price
        )
        stored = await _append(admin, requests)
        await _remember(admin, until)
        await admin.caught_up(stored[-1].last_position, ("usage",), CAUGHT_UP_WITHIN_S)
    return {
        "tenant_id": TENANT,
        "new_requests": sum(not each.duplicate for each in stored),
        "requests": len(stored),
        "admin_key": founded.admin_key,
        "keys": [{"name": name, "roles": made.roles, "key": made.key} for name, made in keys.items()],
    }


async def _do(admin: Administration, command: Command, step: str, tenant: str = TENANT) -> Any:
    return (await admin.dispatch(command, tenant, command_id=f"demo/{step}")).result


async def _append(admin: Administration, requests: Any) -> list[Appended]:
    stored: list[Appended] = []
    while chunk := list(islice(requests, CHUNK)):
        appends = [admin.runtime.log.append(_recorded(event)) for event in chunk]
        stored += await asyncio.gather(*appends)
    return stored


async def _remember(admin: Administration, until: datetime) -> None:
    reference = admin.runtime.keyring.subject_reference
    for number, facts in enumerate(demo_memories(TENANT, until, lambda user: reference(TENANT, user))):
        request = AppendRequest(
            tenant=TENANT, command_id=f"demo/memory-{number}", events=facts, actor="system/cli"
        )
        await admin.runtime.log.append(request)


def _recorded(event: RequestRecorded) -> AppendRequest:
    stream = stream_id(TENANT, "requests", f"{event.started_at:%Y-%m}")
    return AppendRequest(
        tenant=TENANT,
        command_id=event.request_id,
        events=(NewEvent(stream, event),),
        correlation=event.request_id,
        actor=f"key/{event.key_id}",
    )


def _price(settings: Settings, at: datetime, base_url: str) -> Price:
    """Return how the demo's attempts are priced: as if every provider were set up."""
    builtins = builtin_providers(openai_api_key="demo", anthropic_api_key="demo")
    own = Connection(
        name=PROVIDER.name,
        dialect=PROVIDER.dialect,
        base_url=base_url,
        revision=1,
        models=PROVIDER.models,
        registered_at=at,
        registered_by="system/cli",
    )
    directory = ProviderDirectory((*builtins.connections, own))
    prices = TenantPrices(directory, Pricer(PackagedPriceBook.open(settings.data_dir / "cache")))

    def price(provider: str, model: str, usage: TokenCounts, when: datetime) -> tuple[int | None, str | None]:
        priced = prices.cost(TENANT, Target(provider, model), usage, when)
        return priced.cost_micros, priced.version

    return price
