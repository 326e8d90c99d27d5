"""Streams that break after their first content, usage that is missing, and clients that leave."""

from __future__ import annotations

import asyncio

import anthropic
import openai
import pytest

from tests.faults.gateway_client import DIALECTS, PROVIDER, TEXT, Dialect, ask, governed, request
from tests.faults.gateway_judgement import RECORDED, events_of, health_of, judged
from tests.integration.gateway.live import HELLO, Live, LiveTenant, fresh

pytestmark = pytest.mark.asyncio(loop_scope="session")

BREAKS = {
    "cut=3": "cut",
    "cut-reset=3": "cut",
    "stall=3": "timeout_idle",
    "error-event=3": "status",
    "no-done=3": "cut",
}


async def breaks(tenant: LiveTenant, dialect: Dialect, target: Dialect, words: str) -> tuple[str, str]:
    """One stream that breaks after three words, with a healthy target that must not be asked."""
    name = PROVIDER[target]
    faulty = f"{name}/{fresh(words)}"
    workspace = await governed(tenant, faulty, f"{name}/backup")
    seen = await ask(tenant, dialect, stream=True, workspace=workspace)
    case = f"{dialect} from {target}, {words}: {seen.body!r}"
    assert seen.status == 200
    assert (seen.text.strip(), seen.complete) == ("The quick brown", False), case
    error = seen.error if dialect == "openai" else seen.error["details"]
    assert (error.get("code") or error.get("error_code")) == "upstream_stream_interrupted", case
    record = await tenant.record(seen.request_id)
    assert (record["outcome"], record["error_code"]) == ("interrupted", "upstream_stream_interrupted")
    assert [a["outcome"] for a in record["attempts"]] == [BREAKS[words]], case
    assert record["usage_source"] in {"partial", "estimated"}
    assert record["output_tokens"] >= 1
    assert record["input_tokens"] >= 1
    return faulty, seen.request_id


@pytest.mark.parametrize("words", BREAKS)
async def test_a_broken_stream_ends_with_an_error_and_without_its_closing_message(
    tenant: LiveTenant, words: str
) -> None:
    cases = await asyncio.gather(*(breaks(tenant, d, t, words) for d in DIALECTS for t in DIALECTS))
    health = await health_of(tenant)
    for target, request_id in cases:
        judged(health, target, words, 1)
        assert await events_of(tenant, request_id) == [RECORDED]


async def test_sdks_raise_on_a_broken_stream(tenant: LiveTenant) -> None:
    said: list[str] = []

    async def chat() -> None:
        async for chunk in await tenant.openai().chat.completions.create(
            model=f"up/{fresh('cut=3')}", messages=HELLO, stream=True
        ):
            said.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - the stream breaks

    async def message() -> None:
        async for event in await tenant.anthropic().messages.create(
            model=f"cl/{fresh('cut=3')}", messages=HELLO, max_tokens=64, stream=True
        ):
            said.append(event.type)  # noqa: PERF401 - as above

    with pytest.raises(openai.APIError):
        await chat()
    assert "".join(said).strip() == "The quick brown"
    with pytest.raises(anthropic.APIError):
        await message()
    assert said[-1] == "content_block_delta"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_usage_that_is_not_told_is_estimated_and_a_told_zero_is_zero(
    tenant: LiveTenant, dialect: Dialect, stream: bool
) -> None:
    name = PROVIDER[dialect]
    silent = await ask(tenant, dialect, f"{name}/fault:no-usage", stream=stream)
    zero = await ask(tenant, dialect, f"{name}/fault:zero-usage", stream=stream)
    assert silent.text == zero.text == TEXT
    estimated, told = await tenant.record(silent.request_id), await tenant.record(zero.request_id)
    assert estimated["usage_source"] == "estimated"
    assert min(estimated["input_tokens"], estimated["output_tokens"]) > 0
    assert (told["usage_source"], told["input_tokens"], told["output_tokens"]) == ("provider", 0, 0)
    health = await health_of(tenant)
    for words, seen in (("no-usage", silent), ("zero-usage", zero)):
        found = health[f"{name}/fault:{words}"]
        assert found["requests"] >= 1
        assert (found["status"], found["error_rate"]) == ("healthy", 0.0)
        assert await events_of(tenant, seen.request_id) == [RECORDED]


async def test_odd_streams_arrive_as_they_were_said(tenant: LiveTenant) -> None:
    for dialect in DIALECTS:
        for words in ("split=5", "crlf", "crlf+split=1", "one-shot", "usage-with-choices", "gap=0.01"):
            seen = await ask(tenant, dialect, f"{PROVIDER[dialect]}/fault:{words}", stream=True)
            assert (seen.text, seen.complete, seen.error) == (TEXT, True, {}), (dialect, words)
            assert (await tenant.record(seen.request_id))["output_tokens"] == 12, (dialect, words)


async def leave_after(tenant: LiveTenant, dialect: Dialect, model: str, lines: int) -> str:
    """Read so many lines of a stream, hang up, and return the request's id."""
    path, body = request(dialect, model, stream=True)
    async with tenant.live.http.stream("POST", path, json=body, headers={"x-api-key": tenant.key}) as answer:
        read = 0
        async for line in answer.aiter_lines():
            read += bool(line)
            if read >= lines:
                break
        return str(answer.headers["x-request-id"])


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_client_that_leaves_closes_the_provider_and_is_settled(
    live: Live, tenant: LiveTenant, dialect: Dialect
) -> None:
    model = "fault:gap=0.2"
    live.upstream.clear()
    request_id = await leave_after(tenant, dialect, f"{PROVIDER[dialect]}/{model}", 6)
    asked = next(r for r in live.upstream.requests if r.model == model)
    async with asyncio.timeout(10):
        await asked.closed.wait()
    record = await tenant.eventually(request_id)
    assert (record["outcome"], record["error_code"], record["status"]) == ("cancelled", "client_gone", 499)
    assert record["usage_source"] in {"partial", "estimated"}
    assert record["attempts"][0]["outcome"] == "cancelled"
    judged(await health_of(tenant), f"{PROVIDER[dialect]}/{model}", "gone", 1)
    assert await events_of(tenant, request_id) == [RECORDED]


async def test_a_provider_that_bills_all_of_it_is_read_to_the_end(live: Live, tenant: LiveTenant) -> None:
    await tenant.provider("drained", "openai", live.upstream.openai_base_url, drain_seconds=20)
    request_id = await leave_after(tenant, "openai", "drained/fault:gap=0.05", 2)
    record = await tenant.eventually(request_id)
    assert (record["outcome"], record["usage_source"], record["output_tokens"]) == (
        "cancelled",
        "provider",
        12,
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_before_the_answer_closes_the_provider(live: Live, stream: bool) -> None:
    tenant = await live.tenant()
    live.upstream.clear()
    asking = asyncio.create_task(ask(tenant, "openai", f"up/{fresh('hang')}", stream=stream))
    (asked,) = await live.upstream.wait_for_requests(1, 10)
    asking.cancel()
    found: list[dict[str, object]] = []
    async with asyncio.timeout(10):
        await asked.closed.wait()
        while not found:
            found = (await tenant.call("GET", "/requests"))["items"]
    assert [(r["outcome"], r["status"]) for r in found] == [("cancelled", 499)]
