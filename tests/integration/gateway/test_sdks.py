"""The official SDKs with only base URL and key changed: answers, streams, tools, structured output."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletionToolParam
from pydantic import BaseModel

from tests.integration.gateway.live import HELLO, Live, LiveTenant, rule

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEATHER: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OPENAI_TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "weather", "description": "d", "parameters": WEATHER},
}
ANTHROPIC_TOOL: Any = {"name": "weather", "description": "d", "input_schema": WEATHER}
TEXT = "The quick brown fox jumps over the lazy dog and runs ."
MODELS = ["up/any", "cl/any"]


class Place(BaseModel):
    """What a structured answer must look like."""

    city: str


@pytest.mark.parametrize("model", MODELS)
async def test_openai_chat_gets_an_answer_and_its_record(tenant: LiveTenant, model: str) -> None:
    raw = await tenant.openai().chat.completions.with_raw_response.create(model=model, messages=HELLO)
    answer = raw.parse()
    assert answer.choices[0].message.content == TEXT
    assert raw.headers["x-aios-provider"] == model[:2]
    assert raw.headers["x-aios-attempts"].startswith(f"{model};ok;")
    record = await tenant.record(raw.headers["x-request-id"])
    assert answer.usage is not None
    assert record["input_tokens"] == answer.usage.prompt_tokens
    assert record["output_tokens"] == answer.usage.completion_tokens
    assert (record["outcome"], record["dialect"], record["usage_source"]) == (
        "succeeded",
        "openai",
        "provider",
    )


@pytest.mark.parametrize("model", MODELS)
async def test_anthropic_messages_get_an_answer_and_its_record(tenant: LiveTenant, model: str) -> None:
    raw = await tenant.anthropic().messages.with_raw_response.create(
        model=model, max_tokens=64, messages=HELLO
    )
    answer = await raw.parse()
    assert answer.content[0].type == "text"
    assert answer.content[0].text == TEXT
    assert (answer.stop_reason, answer.role) == ("end_turn", "assistant")
    record = await tenant.record(raw.headers["x-request-id"])
    assert record["input_tokens"] == answer.usage.input_tokens
    assert record["output_tokens"] == answer.usage.output_tokens


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("asks", [True, False])
async def test_openai_stream_with_and_without_usage(tenant: LiveTenant, model: str, asks: bool) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if asks else {}
    raw = await tenant.openai().chat.completions.with_raw_response.create(
        model=model, messages=HELLO, stream=True, **options
    )
    chunks = [chunk async for chunk in raw.parse()]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == TEXT
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    usages = [c.usage for c in chunks if c.usage is not None]
    record = await tenant.record(raw.headers["x-request-id"])
    assert (record["output_tokens"], record["usage_source"]) == (12, "provider")
    assert len(usages) == asks
    if asks:
        assert usages[0].prompt_tokens == record["input_tokens"]
        assert usages[0].completion_tokens == record["output_tokens"]
    else:
        assert all(c.choices for c in chunks)


@pytest.mark.parametrize("model", MODELS)
async def test_anthropic_stream(tenant: LiveTenant, model: str) -> None:
    async with tenant.anthropic().messages.stream(model=model, max_tokens=64, messages=HELLO) as stream:
        said = "".join([text async for text in stream.text_stream])
        final = await stream.get_final_message()
        request_id = stream.response.headers["x-request-id"]
    assert said == TEXT
    record = await tenant.record(request_id)
    assert record["stream"] is True
    assert record["output_tokens"] == final.usage.output_tokens == 12
    assert record["input_tokens"] == final.usage.input_tokens or model == "up/any"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [True, False])
async def test_openai_tools(tenant: LiveTenant, model: str, stream: bool) -> None:
    client = tenant.openai()
    if stream:
        async with client.chat.completions.stream(model=model, messages=HELLO, tools=[OPENAI_TOOL]) as events:
            message: Any = (await events.get_final_completion()).choices[0].message
    else:
        answer = await client.chat.completions.create(model=model, messages=HELLO, tools=[OPENAI_TOOL])
        message = answer.choices[0].message
    (asked,) = message.tool_calls
    assert asked.function.name == "weather"
    assert "city" in json.loads(asked.function.arguments)
    follow: Any = [
        *HELLO,
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": asked.id,
                    "type": "function",
                    "function": {"name": "weather", "arguments": asked.function.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": asked.id, "content": "sunny"},
    ]
    told = await client.chat.completions.create(model=model, messages=follow, tools=[OPENAI_TOOL])
    assert told.choices[0].message.content == TEXT


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [True, False])
async def test_anthropic_tools(tenant: LiveTenant, model: str, stream: bool) -> None:
    client, options = tenant.anthropic(), {"model": model, "max_tokens": 64, "tools": [ANTHROPIC_TOOL]}
    if stream:
        async with client.messages.stream(messages=HELLO, **options) as events:  # type: ignore[arg-type]  # plain
            message: Any = await events.get_final_message()
    else:
        message = await client.messages.create(messages=HELLO, **options)  # type: ignore[call-overload]  # plain
    asked = message.content[-1]
    assert (asked.type, asked.name, message.stop_reason) == ("tool_use", "weather", "tool_use")
    assert "city" in asked.input
    result = {"type": "tool_result", "tool_use_id": asked.id, "content": "sunny"}
    follow = [
        *HELLO,
        {"role": "assistant", "content": [asked.model_dump(include={"type", "id", "name", "input"})]},
        {"role": "user", "content": [result]},
    ]
    told = await client.messages.create(messages=follow, **options)  # type: ignore[call-overload]  # plain
    assert told.content[0].text == TEXT


async def test_structured_output(tenant: LiveTenant) -> None:
    answer = await tenant.openai().chat.completions.parse(
        model="up/any", messages=HELLO, response_format=Place
    )
    parsed = answer.choices[0].message.parsed
    assert isinstance(parsed, Place)


async def test_embeddings_and_models(tenant: LiveTenant) -> None:
    client = tenant.openai()
    answer = await client.embeddings.create(model="up/any", input=["one", "two"])
    assert [len(item.embedding) for item in answer.data] == [8, 8]
    names = [model.id async for model in client.models.list()]
    assert names[0] == "auto"
    assert any(name.startswith("local/") for name in names)
    assert [m.id async for m in tenant.anthropic().models.list()] == names


async def test_counting_tokens_answers_and_is_not_usage(live: Live) -> None:
    tenant = await live.tenant()
    counted = await tenant.anthropic().messages.count_tokens(model="cl/any", messages=HELLO)
    assert counted.input_tokens > 0
    assert await tenant.recorded() == 0


async def test_the_summary_is_the_sum_of_what_the_sdks_reported(live: Live) -> None:
    tenant = await live.tenant()
    read = written = 0
    for model in MODELS:
        chat = await tenant.openai().chat.completions.create(model=model, messages=HELLO)
        message = await tenant.anthropic().messages.create(model=model, max_tokens=64, messages=HELLO)
        assert chat.usage is not None
        read += chat.usage.prompt_tokens + message.usage.input_tokens
        written += chat.usage.completion_tokens + message.usage.output_tokens
        options: Any = {"stream_options": {"include_usage": True}}
        async for chunk in await tenant.openai().chat.completions.create(
            model=model, messages=HELLO, stream=True, **options
        ):
            if chunk.usage is not None:
                read += chunk.usage.prompt_tokens
                written += chunk.usage.completion_tokens
    summary = await tenant.call("GET", "/usage/summary")
    assert (summary["requests"], summary["success_rate"]) == (6, 1.0)
    assert (summary["input_tokens"], summary["output_tokens"]) == (read, written)
    assert summary["estimated_share"] == 0


async def test_the_request_id_stands_in_the_headers_before_the_first_byte(tenant: LiveTenant) -> None:
    body = {"model": "up/fault:slow=0.2", "messages": HELLO, "stream": True}
    async with tenant.live.http.stream(
        "POST", "/v1/chat/completions", json=body, headers={"x-api-key": tenant.key}
    ) as answer:
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in answer.aiter_lines() if line]
    assert lines[-1] == "data: [DONE]"


async def test_segments_choose_rules_and_headers_tell_them(tenant: LiveTenant) -> None:
    await tenant.policy("seg", rule("up/gold", segment="gold"), rule("cl/rest"))
    for segment, model in (("gold", "gold"), ("silver", "rest")):
        raw = await tenant.openai(workspace="seg", segment=segment).chat.completions.with_raw_response.create(
            model="auto", messages=HELLO
        )
        assert raw.headers["x-aios-model"] == model
        assert raw.headers["x-aios-policy"] == "seg@1"
        record = await tenant.record(raw.headers["x-request-id"])
        assert record["decision"]["why"]
