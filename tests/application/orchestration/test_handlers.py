"""Policies and providers through the bus."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest

from application.binding import bind
from application.orchestration.commands import RegisterProvider, RemoveProvider, SetModelPolicy
from application.orchestration.handlers import HANDLERS
from application.orchestration.ports import OrchestrationPorts
from domain.kernel.errors import Conflict, Forbidden, InvalidInput, NotFound
from domain.orchestration.connection import Connection
from infrastructure.providers.egress import normalise_base_url
from projections.orchestration.live import PolicyDirectory, ProviderDirectory
from tests.application.office import Office
from tests.fakes.event_log import InMemoryEventLog

LOCAL = Connection(name="local", dialect="openai", base_url="http://127.0.0.1/v1", builtin=True)


class Following(InMemoryEventLog):
    """A log whose events the live directories have applied when an append returns."""

    def __init__(self) -> None:
        super().__init__()
        self.policies = PolicyDirectory()
        self.providers = ProviderDirectory([LOCAL], {"openai": "set OPENAI_API_KEY"})

    async def append(self, request):
        before = len(self.envelopes)
        stored = await super().append(request)
        for envelope in self.envelopes[before:]:
            self.policies.apply(envelope)
            self.providers.apply(envelope)
        return stored


@pytest.fixture
def log() -> Following:
    return Following()


@pytest.fixture
def office(log: Following) -> Office:
    ports = OrchestrationPorts(
        providers=log.providers, normalise_base_url=partial(normalise_base_url, allow_private=True)
    )
    return Office(bind(HANDLERS, ports), log)


def policy(**changes) -> SetModelPolicy:
    rules = [{"segment": "*", "provider": "local", "model": "smol"}]
    return msgspec.convert({"workspace_id": "team", "rules": rules, **changes}, SetModelPolicy)


def provider(**changes) -> RegisterProvider:
    body = {"name": "vllm", "dialect": "openai", "base_url": "http://10.0.0.5:8000/v1/", **changes}
    return msgspec.convert(body, RegisterProvider)


async def test_a_policy_is_in_force_when_it_is_answered(office: Office, log: Following):
    first = await office.send(policy())
    second = await office.send(policy(fallback_strategy="cost"))
    assert (first.version, second.version) == (1, 2)
    active = log.policies.active("acme", "team")
    assert active is not None
    assert (active.version, active.policy.fallback_strategy) == (2, "cost")
    assert (active.set_by, active.set_at) == (second.set_by, second.set_at)
    assert active.policy.rules == second.rules


async def test_policies_of_tenants_and_workspaces_are_apart(office: Office, log: Following):
    await office.send(policy())
    assert log.policies.active("beta", "team") is None
    assert log.policies.active("acme", "default") is None
    assert (await office.send(policy(), tenant="beta")).version == 1


async def test_a_provider_that_is_not_configured_is_a_warning(office: Office):
    rules = [{"segment": "*", "provider": "openai", "model": "gpt-4o", "fallback": ["local/any"]}]
    answer = await office.send(policy(rules=rules))
    assert answer.warnings == ("/rules/0/provider: provider 'openai' is not configured: set OPENAI_API_KEY",)


async def test_a_repeated_command_answers_the_version_it_made(office: Office):
    first = await office.send(policy(), command_id="once")
    assert await office.send(policy(), command_id="once") == first
    assert len(office.events) == 1


@pytest.mark.parametrize("role", ["service", "auditor", "platform"])
async def test_policies_and_providers_need_an_operator(office: Office, role: str):
    for command in (policy(), provider(), RemoveProvider(name="vllm")):
        with pytest.raises(Forbidden):
            await office.send(command, role)
    assert office.events == []


async def test_an_operator_bound_to_a_workspace_sets_its_policy_only(office: Office):
    await office.send(policy(), "operator", workspace="team")
    with pytest.raises(Forbidden, match="'team'"):
        await office.send(policy(workspace_id="other"), "operator", workspace="team")


async def test_a_provider_can_be_called_when_it_is_answered(office: Office, log: Following):
    answer = await office.send(
        provider(api_key="s3cret", models=[{"name": "m", "prices": PRICES}], headers={"x-team": "a"})
    )
    assert (answer.base_url, answer.api_key_set) == ("http://10.0.0.5:8000/v1", True)
    assert answer.header_names == ("x-team",)
    assert "s3cret" not in msgspec.json.encode(answer).decode()
    connection = log.providers.connection("acme", "vllm")
    assert connection is not None
    assert (connection.api_key, connection.headers) == ("s3cret", {"x-team": "a"})
    assert "s3cret" not in repr(connection)
    assert log.providers.catalogue("acme").listing() == ("vllm/m", "local/*")
    assert log.providers.catalogue("beta").listing() == ("local/*",)


PRICES = {"input_per_mtok_usd": "0.5", "output_per_mtok_usd": 1.5}


async def test_a_replaced_provider_is_another_connection_with_the_same_key(office: Office, log: Following):
    await office.send(provider(api_key="s3cret"))
    before = log.providers.connection("acme", "vllm")
    answer = await office.send(provider(models=[{"name": "m"}]))
    after = log.providers.connection("acme", "vllm")
    assert before is not None
    assert after is not None
    assert (answer.revision, after.api_key, after.credential_id) == (2, "s3cret", "provider/vllm@2")
    assert after is not before


async def test_a_removed_provider_is_gone(office: Office, log: Following):
    await office.send(provider(api_key="s3cret"))
    await office.send(RemoveProvider(name="vllm"))
    assert log.providers.connection("acme", "vllm") is None
    assert office.events[-1].event.retired == ("provider/vllm@1",)
    with pytest.raises(NotFound):
        await office.send(RemoveProvider(name="vllm"))


async def test_built_in_providers_stay(office: Office):
    with pytest.raises(Conflict, match="built-in"):
        await office.send(RemoveProvider(name="local"))
    with pytest.raises(InvalidInput, match="built-in"):
        await office.send(provider(name="openai"))


async def test_a_forbidden_address_stores_nothing(office: Office):
    with pytest.raises(InvalidInput, match="/base_url"):
        await office.send(provider(base_url="http://169.254.169.254/latest"))
    assert office.events == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"rules": [{"segment": "a", "provider": "p", "model": "m", "colour": 1}]}, r"\$\.rules\[0\]"),
        (
            {"rules": [{"segment": "a", "provider": "p", "model": "m", "latency_budget_ms": 0}]},
            r"\$\.rules\[0\]\.latency_budget_ms",
        ),
        ({"rules": [], "fallback_strategy": "magic"}, r"\$\.fallback_strategy"),
        ({"rules": [], "workspace_id": "a b"}, r"\$\.workspace_id"),
        ({}, "rules"),
    ],
)
def test_a_body_that_is_no_policy_is_refused_by_its_path(body, path: str):
    with pytest.raises(msgspec.ValidationError, match=path):
        msgspec.json.decode(msgspec.json.encode(body), type=SetModelPolicy)
