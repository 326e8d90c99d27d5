"""The official SDKs read translated streams as if their own provider had sent them."""

from __future__ import annotations

import json

import pytest

from application.orchestration.dialects.model import Dialect
from tests.application.orchestration.dialects.sdk_answers import (
    ANTHROPIC_ANSWER,
    FUNCTION,
    HELLO,
    OPENAI_ANSWER,
    TOOL,
)
from tests.application.orchestration.dialects.sdk_gateway import serving


async def test_openai_sdk_streams_an_anthropic_answer() -> None:
    async with (
        serving("anthropic", ANTHROPIC_ANSWER) as gateway,
        gateway.openai() as client,
        client.chat.completions.stream(
            model="m", messages=HELLO, tools=[FUNCTION], stream_options={"include_usage": True}
        ) as stream,
    ):
        done = [event.type async for event in stream]
        final = await stream.get_final_completion()

    choice = final.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see"
    assert choice.message.to_dict()["reasoning_content"] == "hm"
    calls = choice.message.tool_calls or []
    assert [(call.id, json.loads(call.function.arguments)) for call in calls] == [
        ("t1", {"city": "Rome"}),
        ("t2", {"city": "Oslo"}),
    ]
    assert done.count("tool_calls.function.arguments.done") == 2
    assert final.usage is not None
    assert (final.usage.prompt_tokens, final.usage.completion_tokens, final.usage.total_tokens) == (
        10,
        20,
        30,
    )
    assert final.usage.prompt_tokens_details is not None
    assert final.usage.prompt_tokens_details.cached_tokens == 3


async def test_anthropic_sdk_streams_an_openai_answer() -> None:
    async with (
        serving("openai", OPENAI_ANSWER) as gateway,
        gateway.anthropic() as client,
        client.messages.stream(
            model="m", max_tokens=100, messages=HELLO, tools=[TOOL], thinking={"type": "adaptive"}
        ) as stream,
    ):
        said = "".join([text async for text in stream.text_stream])
        final = await stream.get_final_message()

    assert said == "Let me see"
    assert final.stop_reason == "tool_use"
    assert [block.type for block in final.content] == ["thinking", "text", "tool_use", "tool_use"]
    inputs = [block.input for block in final.content if block.type == "tool_use"]
    assert inputs == [{"city": "Rome"}, {"city": "Oslo"}]
    usage = final.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (7, 3, 20)
    assert gateway.prepared["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(("upstream", "answer"), [("anthropic", ANTHROPIC_ANSWER), ("openai", OPENAI_ANSWER)])
async def test_a_caller_who_did_not_ask_sees_no_usage(upstream: Dialect, answer: bytes) -> None:
    async with serving(upstream, answer) as gateway, gateway.openai() as client:
        stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
        chunks = [chunk async for chunk in stream]

    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert all("usage" not in chunk.to_dict() for chunk in chunks)


async def test_a_stream_of_the_same_dialect_arrives_as_it_was() -> None:
    async with (
        serving("anthropic", ANTHROPIC_ANSWER) as gateway,
        gateway.anthropic() as client,
        client.messages.stream(model="m", max_tokens=9, messages=HELLO) as stream,
    ):
        final = await stream.get_final_message()

    assert [block.type for block in final.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert final.id == "msg_1"
