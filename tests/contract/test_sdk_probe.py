"""The probe through the vendors' SDKs, each in its own short-lived process."""

import socket
from typing import Any

import pytest

from application.orchestration.upstream import Dialect, ProviderSpec, Secret
from infrastructure.providers.sdk_probe import ProbeQuestion, ProbeResult, probe
from infrastructure.providers.sdk_probe_process import answer
from tests.fakes.upstream import FakeUpstream
from tests.fakes.upstream_behaviour import Behaviour

KEY = "sk-probe-secret"


def question(server: FakeUpstream, dialect: Dialect = "openai", **more: Any) -> ProbeQuestion:
    """What the probing process is told."""
    fields: dict[str, Any] = {
        "dialect": dialect,
        "base_url": server.openai_base_url if dialect == "openai" else server.anthropic_base_url,
        "api_key": KEY,
        "headers": {},
        "allow_private": True,
        "model": None,
        "timeout_s": 5.0,
    }
    return ProbeQuestion(**{**fields, **more})


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_probe_lists_models_in_a_process_of_its_own(server: FakeUpstream, dialect: Dialect) -> None:
    server.key = KEY
    base_url = server.openai_base_url if dialect == "openai" else server.anthropic_base_url
    spec = ProviderSpec(name="acme", dialect=dialect, base_url=base_url, credential=Secret(KEY))

    result = await probe(spec)

    assert result.ok
    assert result.models == ("fake-large", "fake-small")
    assert result.latency_s > 0


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_probe_of_a_model_asks_it_for_a_few_tokens(server: FakeUpstream, dialect: Dialect) -> None:
    result = await answer(question(server, dialect, model="fake-large"))

    assert result.ok
    assert server.requests[0].json["model"] == "fake-large"
    assert {server.requests[0].json.get(name) for name in ("max_tokens", "max_completion_tokens")} == {
        None,
        16,
    }


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("fault:401", "AuthenticationError"),
        ("fault:404", "NotFoundError"),
        ("fault:429", "RateLimitError"),
        ("fault:500", "InternalServerError"),
        ("fault:reset", "APIConnectionError"),
        ("fault:redirect", "APIStatusError"),
    ],
)
async def test_probe_tells_the_sdks_error(server: FakeUpstream, model: str, error: str) -> None:
    result = await answer(question(server, model=model))

    assert (result.ok, result.error) == (False, error)
    assert result.message
    assert len(server.requests) == 1


async def test_probe_shows_no_secret(server: FakeUpstream) -> None:

    server.set_default(Behaviour(status=401, message=f"key {KEY} is wrong"))

    result = await answer(question(server))

    assert KEY not in result.message
    assert "***" in result.message


async def test_probe_of_a_silent_provider_ends_in_time(server: FakeUpstream) -> None:
    result = await answer(question(server, model="fault:hang", timeout_s=0.3))

    assert not result.ok
    assert result.error in ("TimeoutError", "APITimeoutError")


async def test_probe_of_a_closed_port_says_so(server: FakeUpstream) -> None:
    await server.stop()

    result = await answer(question(server))

    assert (result.ok, result.error) == (False, "APIConnectionError")
    assert "refused" in result.message.lower()


@pytest.mark.parametrize("base_url", ["http://169.254.169.254/v1", "http://localhost:1/v1"])
async def test_probe_keeps_the_egress_rules(server: FakeUpstream, base_url: str) -> None:
    result = await answer(question(server, base_url=base_url, allow_private=False))

    assert not result.ok
    assert "never called" in result.message or "AIOS_EGRESS=public" in result.message


async def test_probe_keeps_the_egress_rules_for_what_a_name_resolves_to(
    server: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: inside)

    result: ProbeResult = await answer(question(server, base_url="http://rebind.example/v1"))

    assert not result.ok
    assert "never called" in result.message
