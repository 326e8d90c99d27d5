"""Providers that fail before their first content: another target answers, or one clear error does."""

from __future__ import annotations

import asyncio

import anthropic
import openai
import pytest

from tests.faults.gateway_client import DIALECTS, PROVIDER, TEXT, Dialect, ask, governed
from tests.integration.gateway.live import HELLO, LiveTenant, fresh

pytestmark = pytest.mark.asyncio(loop_scope="session")

# what the provider does: outcomes of the failed attempts (JSON, stream), status without a fallback
FAULTS: dict[str, tuple[list[str], list[str], int]] = {
    "500": (["status"], ["status"], 502),
    "429=2": (["status"], ["status"], 429),
    "529": (["status"], ["status"], 503),
    "401": (["status"], ["status"], 502),
    "reset": (["reset", "reset"], ["reset", "reset"], 502),
    "close": (["reset", "reset"], ["reset", "reset"], 502),
    "hang": (["timeout_first_byte"], ["timeout_first_byte"], 504),
    "hang-body": (["timeout_first_byte"], ["timeout_first_byte"], 504),
    "wrong-json": (["malformed"], ["cut"], 502),
    "html": (["malformed"], ["malformed"], 502),
    "cut=0": (["cut"], ["cut"], 502),
    "stall=0": (["timeout_first_byte"], ["timeout_first_byte"], 504),
    "slow=20": (["timeout_first_byte"], ["timeout_first_byte"], 504),
    "slow-headers=20": (["timeout_first_byte"], ["timeout_first_byte"], 504),
}


def expected(words: str, *, stream: bool) -> list[str]:
    """The outcomes of the attempts at a faulty target."""
    whole, streamed, _ = FAULTS[words]
    return streamed if stream else whole


async def falls_back(tenant: LiveTenant, dialect: Dialect, words: str, *, stream: bool) -> None:
    """One request whose first target fails and whose second answers."""
    name = PROVIDER[dialect]
    workspace = await governed(tenant, f"{name}/{fresh(words)}", f"{name}/backup")
    seen = await ask(tenant, dialect, stream=stream, workspace=workspace)
    case = f"{dialect} {words} stream={stream}: {seen.body[:300]!r}"
    assert (seen.status, seen.text) == (200, TEXT), case
    assert seen.headers["x-aios-model"] == "backup"
    outcomes = expected(words, stream=stream)
    reason = f"status_{words[:3]}" if outcomes[0] == "status" else outcomes[0]
    assert seen.headers["x-aios-fallback-reason"] == reason, case
    record = await tenant.record(seen.request_id)
    assert [a["outcome"] for a in record["attempts"]] == [*outcomes, "ok"], case
    assert (record["outcome"], record["fallback_reason"]) == ("succeeded", reason)
    assert all(a["cost_micros"] == 0 for a in record["attempts"][:-1] if a["usage"] is None)
    assert record["attempts"][-1]["usage"]["output_tokens"] == 12


async def fails(tenant: LiveTenant, dialect: Dialect, words: str, *, stream: bool) -> None:
    """One request whose only target fails."""
    workspace = await governed(tenant, f"{PROVIDER[dialect]}/{fresh(words)}")
    seen = await ask(tenant, dialect, stream=stream, workspace=workspace)
    case = f"{dialect} {words} stream={stream}: {seen.body[:300]!r}"
    assert seen.status == FAULTS[words][2], case
    assert seen.headers["content-type"] == "application/json"
    assert seen.error["message"], case
    assert seen.headers["x-aios-attempts"]
    record = await tenant.record(seen.request_id)
    assert (record["outcome"], record["status"]) == ("failed", seen.status)
    assert [a["outcome"] for a in record["attempts"]] == expected(words, stream=stream), case
    assert record["error_code"]
    if words.startswith("429"):
        assert seen.headers["retry-after"] == "2"


@pytest.mark.parametrize("words", FAULTS)
async def test_another_target_answers_and_the_caller_never_notices(tenant: LiveTenant, words: str) -> None:
    await asyncio.gather(
        *(falls_back(tenant, dialect, words, stream=s) for dialect in DIALECTS for s in (False, True))
    )


@pytest.mark.parametrize("words", FAULTS)
async def test_without_another_target_the_caller_gets_one_clear_error(tenant: LiveTenant, words: str) -> None:
    await asyncio.gather(
        *(fails(tenant, dialect, words, stream=s) for dialect in DIALECTS for s in (False, True))
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_refuses_connections_is_passed_over(tenant: LiveTenant, stream: bool) -> None:
    workspace = await governed(tenant, f"dead/{fresh('ok')}", "cl/backup")
    for dialect in DIALECTS:
        seen = await ask(tenant, dialect, stream=stream, workspace=workspace)
        assert (seen.status, seen.text) == (200, TEXT)
        record = await tenant.record(seen.request_id)
        assert [a["outcome"] for a in record["attempts"]] == ["refused", "ok"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_error_event_before_any_content_falls_back(tenant: LiveTenant, dialect: Dialect) -> None:
    name = PROVIDER[dialect]
    workspace = await governed(tenant, f"{name}/{fresh('error-event=0')}", f"{name}/backup")
    seen = await ask(tenant, dialect, stream=True, workspace=workspace)
    assert (seen.text, seen.complete, seen.error) == (TEXT, True, {})


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_full_context_goes_to_a_model_with_a_larger_window(
    tenant: LiveTenant, dialect: Dialect, stream: bool
) -> None:
    models = [
        {"name": "fault:context-length", "context_window": 8000},
        {"name": "tiny", "context_window": 4000},
        {"name": "huge", "context_window": 200_000},
    ]
    upstream, name = tenant.live.upstream, f"sized-{dialect}"
    url = upstream.openai_base_url if dialect == "openai" else upstream.anthropic_base_url
    await tenant.provider(name, dialect, url, models=models)
    workspace = await governed(tenant, f"{name}/fault:context-length", f"{name}/tiny", f"{name}/huge")
    seen = await ask(tenant, dialect, stream=stream, workspace=workspace)
    assert seen.text == TEXT
    record = await tenant.record(seen.request_id)
    assert [a["model"] for a in record["attempts"]] == ["fault:context-length", "huge"]


async def test_sdks_raise_what_users_expect(tenant: LiveTenant) -> None:
    chat, messages = tenant.openai().chat.completions, tenant.anthropic().messages
    with pytest.raises(openai.RateLimitError):
        await chat.create(model=f"up/{fresh('429')}", messages=HELLO, stream=True)
    with pytest.raises(openai.InternalServerError):
        await chat.create(model="dead/alone", messages=HELLO)
    with pytest.raises(anthropic.RateLimitError):
        await messages.create(model=f"cl/{fresh('429')}", messages=HELLO, max_tokens=8, stream=True)
    with pytest.raises(anthropic.APIStatusError) as caught:
        await messages.create(model=f"cl/{fresh('529')}", messages=HELLO, max_tokens=8)
    assert caught.value.status_code == 503


async def test_when_every_target_fails_the_error_lists_all_attempts(tenant: LiveTenant) -> None:
    workspace = await governed(tenant, f"up/{fresh('500')}", f"cl/{fresh('529')}", "dead/other")
    seen = await ask(tenant, "openai", stream=False, workspace=workspace)
    assert seen.status == 502
    assert [(a["provider"], a["outcome"], a["status"]) for a in seen.error["attempts"]] == [
        ("up", "status", 500),
        ("cl", "status", 529),
        ("dead", "refused", None),
    ]
