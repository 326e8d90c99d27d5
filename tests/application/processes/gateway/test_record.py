"""What is recorded of a request, and what its answer's headers say."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from application.processes.gateway.outcome import Streamed, Whole
from domain.kernel.request_record import TokenCounts
from tests.application.processes.gateway.world import World, call, refused, rules, streamed, whole


async def test_a_whole_answer_is_recorded_with_decision_attempt_usage_and_cost() -> None:
    world = World(rules("one/a"))
    answer, body = await whole(world, call(segment="gold", session="s1"))
    record = world.record
    used = body["usage"]
    assert record.usage == TokenCounts(
        input=used["prompt_tokens"], cached_input=0, output=used["completion_tokens"], reasoning=0
    )
    assert record.cost_micros == used["prompt_tokens"] + 2 * used["completion_tokens"]
    assert (record.usage_source, record.attempts[0].price_version) == ("provider", "book-1")
    assert (record.segment, record.session, record.workspace) == ("gold", "s1", "default")
    assert (record.decision.policy, record.decision.rule) == ("default@3", "*")
    assert (record.outcome, record.status, record.finish_reason) == ("succeeded", 200, "stop")
    assert record.attempts[0].credential == "cred-one"
    assert answer.headers["x-aios-cost-micros"] == str(record.cost_micros)
    assert answer.headers["x-aios-quota-state"] == "ok"
    assert answer.headers["x-aios-rule"] == "*"


async def test_without_a_policy_the_headers_say_so() -> None:
    served = await World().gateway.serve(call())
    assert isinstance(served, Whole)
    assert (served.headers["x-aios-policy"], served.headers["x-aios-rule"]) == ("default@0", "none")


async def test_a_stream_is_recorded_before_its_closing_message_leaves() -> None:
    world = World(rules("one/a"))
    served = await world.gateway.serve(call(stream=True))
    assert isinstance(served, Streamed)
    recorded_at = [(chunk, len(world.records)) async for chunk in served.chunks]
    assert recorded_at[0][1] == 0
    assert recorded_at[-1] == (b"data: [DONE]\n\n", 1)
    assert world.record.usage is not None
    assert (world.record.usage.output, world.record.usage_source) == (12, "provider")
    assert b'"usage"' not in b"".join(chunk for chunk, _ in recorded_at)


async def test_each_failed_attempt_keeps_its_own_numbers() -> None:
    world = World(rules("one/a", "two/b"))
    world.upstream.script("500", model="a")
    await whole(world, call())
    failed, answered = world.record.attempts
    assert (failed.usage, failed.usage_source, failed.cost_micros) == (None, "none", 0)
    assert answered.usage is not None
    assert world.record.cost_micros == answered.cost_micros
    assert world.observed == [failed, answered]


async def test_input_that_a_stream_reported_before_it_broke_is_kept() -> None:
    world = World(rules("claude/a", "one/b"))
    world.upstream.script("cut=0", model="a")
    await streamed(world, call("messages", stream=True))
    broken, answered = world.record.attempts
    assert (broken.outcome, broken.usage_source) == ("cut", "partial")
    assert broken.usage is not None
    assert answered.usage is not None
    assert world.record.usage is not None
    assert world.record.usage.input == (broken.usage.input or 0) + (answered.usage.input or 0)


async def test_an_explicit_zero_stays_zero() -> None:
    world = World(rules("one/fault:zero-usage"))
    await whole(world, call(number=1))
    await streamed(world, call(number=2, stream=True))
    for record in world.records:
        assert record.usage == TokenCounts(input=0, cached_input=0, output=0, reasoning=0)
        assert (record.usage_source, record.cost_micros) == ("provider", 0)


async def test_usage_that_nobody_reported_is_estimated_and_says_so() -> None:
    world = World(rules("one/fault:no-usage"))
    await whole(world, call(number=1))
    await streamed(world, call(number=2, stream=True))
    for record in world.records:
        assert record.usage_source == "estimated"
        assert record.usage is not None
        assert min(record.usage.input or 0, record.usage.output or 0) > 0


async def test_embeddings_generate_nothing_and_their_usage_is_the_providers() -> None:
    world = World(rules("one/a"))
    await whole(world, call("embeddings"))
    assert world.record.usage_source == "provider"
    assert world.record.operation == "embeddings"


async def test_a_model_without_a_price_is_unpriced_and_not_free() -> None:
    world = World()
    answer, _ = await whole(world, call(model="one/unknown"))
    assert (world.record.cost_micros, world.record.unpriced) == (None, True)
    assert "x-aios-cost-micros" not in answer.headers


@pytest.mark.parametrize("stream", [False, True])
async def test_text_is_kept_only_when_the_policy_says_so(stream: bool) -> None:
    serve = streamed if stream else whole
    silent, keeping = World(rules("one/a")), World(rules("one/a", record_content=True))
    await serve(silent, call(stream=stream))
    await serve(keeping, call(stream=stream))
    assert (silent.record.prompt, silent.record.answer) == (None, None)
    assert "hello there" in str(keeping.record.prompt)
    assert str(keeping.record.answer).startswith("The quick brown fox")


async def test_the_user_is_recorded_with_the_subject_that_seals_it() -> None:
    world = World()
    await whole(world, call(user="ann@example.com"))
    assert world.record.user == "ann@example.com"
    assert world.record.subject == "subject-of-acme-ann@example.com"


@pytest.mark.parametrize("words", ["ok", "500"])
async def test_counting_tokens_is_not_usage(words: str) -> None:
    world = World(rules("claude/a"))
    world.upstream.script(words)
    if words == "ok":
        await whole(world, call("count_tokens"))
    else:
        await refused(world, call("count_tokens"))
    assert world.records == []


async def test_tokens_are_estimated_where_the_provider_cannot_count_them() -> None:
    world = World(rules("one/a"))
    counted, _ = await whole(world, call("count_tokens"))
    assert counted.headers["x-aios-usage-source"] == "estimated"
    assert msgspec.json.decode(counted.body)["input_tokens"] > 0
    assert world.records == []


async def test_a_request_is_recorded_once_however_often_it_is_stored() -> None:
    world = World(outages=2)
    error = await refused(world, call())
    assert (error.status, error.code) == (503, "metering_unavailable")
    await world.gateway.aclose()
    assert world.record.outcome == "succeeded"
    assert world.record.usage is not None
    await whole(world, call())
    assert len(world.records) == 1


async def test_a_stream_that_cannot_be_recorded_ends_with_an_error_and_is_recorded_later() -> None:
    world = World(outages=1)
    _, body = await streamed(world, call(stream=True))
    assert b"metering_unavailable" in body
    assert b"[DONE]" not in body
    await world.gateway.aclose()
    assert world.record.outcome == "succeeded"


@pytest.mark.parametrize("dialect", ["chat", "messages"])
async def test_a_stream_that_breaks_ends_with_an_error_event_and_no_closing_message(dialect: str) -> None:
    world = World(rules("one/a" if dialect == "chat" else "claude/a", "two/b"))
    world.upstream.script("cut=3", model="a")
    _, body = await streamed(world, call(dialect, stream=True))
    assert b"upstream_stream_interrupted" in body
    assert b"[DONE]" not in body
    assert b"message_stop" not in body
    assert (world.record.outcome, world.record.error_code) == ("interrupted", "upstream_stream_interrupted")
    assert [a.outcome for a in world.record.attempts] == ["cut"]
    assert world.record.usage_source in {"partial", "estimated"}


async def test_a_client_that_leaves_a_stream_closes_the_provider_and_is_recorded() -> None:
    world = World()
    world.upstream.script("gap=30")
    served = await world.gateway.serve(call(stream=True))
    assert isinstance(served, Streamed)
    await anext(aiter(served.chunks))
    await served.chunks.aclose()  # type: ignore[attr-defined]  # an async generator
    record = await world.eventually_recorded()
    assert world.upstream.requests[0].closed.is_set()
    assert (record.outcome, record.status, record.error_code) == ("cancelled", 499, "client_gone")
    assert record.attempts[0].outcome == "cancelled"


async def test_a_client_that_leaves_before_the_first_chunk_is_recorded() -> None:
    world = World()
    served = await world.gateway.serve(call(stream=True))
    assert isinstance(served, Streamed)
    await served.chunks.aclose()  # type: ignore[attr-defined]  # an async generator
    assert (await world.eventually_recorded()).outcome == "cancelled"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_while_the_provider_thinks_is_recorded(stream: bool) -> None:
    world = World()
    world.upstream.script("hang")
    serving = asyncio.create_task(world.gateway.serve(call(stream=stream)))
    await world.until(lambda: bool(world.upstream.requests))
    serving.cancel()
    record = await world.eventually_recorded()
    assert world.upstream.requests[0].closed.is_set()
    assert (record.outcome, record.usage_source) == ("cancelled", "estimated")
