"""Providers that fail before their first content: another target answers, or one clear error does."""

from __future__ import annotations

import asyncio

import anthropic
import openai
import pytest

from tests.faults.gateway_client import DIALECTS, PROVIDER, TEXT, Dialect, ask, governed
from tests.faults.gateway_judgement import CHANGED, RECORDED, REFUSED, events_of, health_of, judged, told
from tests.integration.gateway.live import HELLO, Live, LiveTenant, fresh

Case = tuple[str, str, int]
"""A faulty target, the id of the request that met it, and how many attempts that were."""

pytestmark = pytest.mark.asyncio(loop_scope="session")

# what the provider does: outcomes of the failed attempts (JSON, stream), status without a fallback (an
# overload is 529 in Anthropic's dialect)
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


def status_of(words: str, dialect: Dialect) -> int:
    """The status that a caller gets when nobody else can answer."""
    status = FAULTS[words][2]
    return 529 if (status, dialect) == (503, "anthropic") else status


async def falls_back(tenant: LiveTenant, dialect: Dialect, words: str, *, stream: bool) -> Case:
    """One request whose first target fails and whose second answers."""
    name = PROVIDER[dialect]
    target = f"{name}/{fresh(words)}"
    workspace = await governed(tenant, target, f"{name}/backup")
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
    return target, seen.request_id, len(outcomes)


async def fails(tenant: LiveTenant, dialect: Dialect, words: str, *, stream: bool) -> Case:
    """One request whose only target fails."""
    target = f"{PROVIDER[dialect]}/{fresh(words)}"
    workspace = await governed(tenant, target)
    seen = await ask(tenant, dialect, stream=stream, workspace=workspace)
    case = f"{dialect} {words} stream={stream}: {seen.body[:300]!r}"
    assert seen.status == status_of(words, dialect), case
    assert seen.headers["content-type"] == "application/json"
    assert seen.error["message"], case
    assert seen.headers["x-aios-attempts"]
    record = await tenant.record(seen.request_id)
    assert (record["outcome"], record["status"]) == ("failed", seen.status)
    assert [a["outcome"] for a in record["attempts"]] == expected(words, stream=stream), case
    assert record["error_code"]
    if words.startswith("429"):
        assert seen.headers["retry-after"] == "2"
    return target, seen.request_id, len(record["attempts"])


async def judge(tenant: LiveTenant, words: str, cases: list[Case]) -> None:
    """Assert what health and log say after some requests: one event each, and each target judged alone."""
    health = await health_of(tenant)
    for target, request_id, attempts in cases:
        judged(health, target, words, attempts, f"{target}: {health.get(target)}")
        assert await events_of(tenant, request_id) == [RECORDED]
        if words.startswith("429"):
            provider, _, model = target.partition("/")
            await told(tenant, CHANGED, provider=provider, model=model, status="throttled")


@pytest.mark.parametrize("words", FAULTS)
async def test_another_target_answers_and_the_caller_never_notices(tenant: LiveTenant, words: str) -> None:
    cases = await asyncio.gather(
        *(falls_back(tenant, dialect, words, stream=s) for dialect in DIALECTS for s in (False, True))
    )
    await judge(tenant, words, cases)


@pytest.mark.parametrize("words", FAULTS)
async def test_without_another_target_the_caller_gets_one_clear_error(tenant: LiveTenant, words: str) -> None:
    cases = await asyncio.gather(
        *(fails(tenant, dialect, words, stream=s) for dialect in DIALECTS for s in (False, True))
    )
    await judge(tenant, words, cases)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_refuses_connections_is_passed_over(tenant: LiveTenant, stream: bool) -> None:
    target = f"dead/{fresh('ok')}"
    workspace = await governed(tenant, target, "cl/backup")
    for dialect in DIALECTS:
        seen = await ask(tenant, dialect, stream=stream, workspace=workspace)
        assert (seen.status, seen.text) == (200, TEXT)
        record = await tenant.record(seen.request_id)
        assert [a["outcome"] for a in record["attempts"]] == ["refused", "ok"]
    judged(await health_of(tenant), target, "refused", len(DIALECTS))


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
    judged(await health_of(tenant), f"{name}/fault:context-length", "context-length", 1)


# what the provider does: the errors of the official SDKs, OpenAI's and Anthropic's
ERRORS: dict[str, tuple[type[Exception], type[Exception]]] = {
    "500": (openai.InternalServerError, anthropic.InternalServerError),
    "429": (openai.RateLimitError, anthropic.RateLimitError),
    "529": (openai.InternalServerError, anthropic.OverloadedError),
    "401": (openai.InternalServerError, anthropic.InternalServerError),
    "reset": (openai.InternalServerError, anthropic.InternalServerError),
    "hang": (openai.InternalServerError, anthropic.DeadlineExceededError),
    "wrong-json": (openai.InternalServerError, anthropic.InternalServerError),
    "slow=20": (openai.InternalServerError, anthropic.DeadlineExceededError),
    "context-length": (openai.BadRequestError, anthropic.BadRequestError),
}


@pytest.mark.parametrize("words", ERRORS)
async def test_sdks_raise_what_users_expect(tenant: LiveTenant, words: str) -> None:
    ours, theirs = ERRORS[words]

    async def chat(*, stream: bool) -> None:
        workspace = await governed(tenant, f"up/{fresh(words)}")
        client = tenant.openai(workspace=workspace)
        with pytest.raises(ours):
            await client.chat.completions.create(model="auto", messages=HELLO, stream=stream)

    async def message(*, stream: bool) -> None:
        workspace = await governed(tenant, f"cl/{fresh(words)}")
        client = tenant.anthropic(workspace=workspace)
        with pytest.raises(theirs):
            await client.messages.create(model="auto", messages=HELLO, max_tokens=8, stream=stream)

    await asyncio.gather(*(ask_(stream=s) for ask_ in (chat, message) for s in (False, True)))


async def test_a_refused_credential_is_one_alert_however_many_requests_meet_it(live: Live) -> None:
    tenant = await live.tenant()
    for dialect in DIALECTS:
        await asyncio.gather(*(fails(tenant, dialect, "401", stream=s) for s in (False, True)))
    for name in ("up", "cl"):
        await told(tenant, REFUSED, provider=name, status=401)


async def test_when_every_target_fails_the_error_lists_all_attempts(tenant: LiveTenant) -> None:
    workspace = await governed(tenant, f"up/{fresh('500')}", f"cl/{fresh('529')}", "dead/other")
    seen = await ask(tenant, "openai", stream=False, workspace=workspace)
    assert seen.status == 502
    assert [(a["provider"], a["outcome"], a["status"]) for a in seen.error["attempts"]] == [
        ("up", "status", 500),
        ("cl", "status", 529),
        ("dead", "refused", None),
    ]
