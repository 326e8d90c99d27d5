"""The test of a connection: what each thing that can be wrong with a provider is called."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from application.orchestration.commands import RegisterProvider
from domain.kernel.errors import InvalidInput
from domain.orchestration.connection import Connection
from domain.orchestration.provider_spec import ModelSpec
from infrastructure.embedded.errors import ServiceStillStarting
from infrastructure.providers.connection_tester import ConnectionTester, reason_of
from infrastructure.providers.local import Address
from infrastructure.providers.sdk_probe import ProbeResult
from tests.fakes.upstream import FakeUpstream

KEY = "sk-tested-secret"


async def loading(_deadline: float) -> Address:
    """Return no address, as long as the model is loading."""
    raise ServiceStillStarting("the model", 1.0)


def a_tester(*, allow_private: bool = True) -> ConnectionTester:
    return ConnectionTester(loading, allow_private=allow_private)


def connection(base_url: str, **more: Any) -> Connection:
    return Connection(**{"name": "acme", "dialect": "openai", "base_url": base_url, "api_key": KEY, **more})


async def test_a_good_connection_lists_models_and_names_those_that_are_missing(server: FakeUpstream) -> None:
    models = (ModelSpec(name="fake-small"), ModelSpec(name="no-such-model"))
    found = await a_tester()(connection(server.openai_base_url, models=models))
    assert (found.ok, found.reason, found.models) == (True, "ok", 2)
    assert found.missing_models == ("no-such-model",)


async def test_a_refused_credential_is_told_without_showing_it(server: FakeUpstream) -> None:
    server.key = "another-key"
    found = await a_tester()(connection(server.anthropic_base_url, dialect="anthropic"))
    assert (found.ok, found.reason, found.status) == (False, "credential_refused", 401)
    assert KEY not in found.detail


async def test_nobody_listening_and_no_such_path_are_told_apart(server: FakeUpstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    assert (await a_tester()(connection(dead))).reason == "refused"
    wrong = await a_tester()(connection(f"{server.openai_base_url}/nowhere"))
    assert (wrong.ok, wrong.reason) == (False, "no_model_list")


async def test_a_model_is_asked_only_when_it_is_named(server: FakeUpstream) -> None:
    found = await a_tester()(connection(server.openai_base_url), "fault:404")
    assert (found.reason, found.asked_model, found.models) == ("model_not_found", "fault:404", None)


async def test_the_egress_rules_hold_for_tests_too() -> None:
    metadata = await a_tester()(connection("http://169.254.169.254/v1"))
    assert (metadata.ok, metadata.reason) == (False, "egress_forbidden")
    private = await a_tester(allow_private=False)(connection("http://127.0.0.1:1/v1"))
    assert private.reason == "egress_forbidden"


async def test_an_embedded_model_that_is_loading_says_so() -> None:
    found = await a_tester()(connection("http://127.0.0.1", name="local", builtin=True))
    assert (found.ok, found.reason) == (False, "not_ready")


def test_a_draft_keeps_the_secret_only_for_the_same_address() -> None:
    present = connection("http://127.0.0.1:9/v1", headers={"x-team": "a"})
    wanted = RegisterProvider(name="acme", dialect="openai", base_url="http://127.0.0.1:9/v1/")
    moved = RegisterProvider(name="acme", dialect="openai", base_url="http://127.0.0.1:10/v1")
    kept = a_tester().draft(wanted, present)
    assert (kept.api_key, kept.headers, kept.base_url) == (KEY, {"x-team": "a"}, present.base_url)
    assert (a_tester().draft(moved, present).api_key, a_tester().draft(moved, present).headers) == (None, {})
    with pytest.raises(InvalidInput, match="/base_url"):
        a_tester().draft(RegisterProvider(name="a", dialect="openai", base_url="ftp://x"), None)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (ProbeResult(ok=False, status=403), "credential_refused"),
        (ProbeResult(ok=False, status=429), "rate_limited"),
        (ProbeResult(ok=False, status=503), "provider_error"),
        (ProbeResult(ok=False, status=400), "request_refused"),
        (ProbeResult(ok=False, error="APIConnectionError", kind="dns"), "dns"),
        (ProbeResult(ok=False, error="APIConnectionError", kind="tls"), "tls"),
        (ProbeResult(ok=False, error="APITimeoutError"), "timeout"),
        (ProbeResult(ok=False, error="AttributeError"), "malformed"),
        (ProbeResult(ok=False, error="ProbeFailed"), "not_tested"),
    ],
)
def test_every_failure_has_a_reason(result: ProbeResult, reason: str) -> None:
    assert reason_of(result, None) == reason
