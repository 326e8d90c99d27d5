"""What the official SDKs send is a valid request of the other dialect, tools and schemas included."""

from __future__ import annotations

import json
from typing import Any, get_type_hints

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import BaseModel, TypeAdapter

from tests.application.orchestration.dialects.sdk_answers import (
    ANTHROPIC_ANSWER,
    FUNCTION,
    HELLO,
    OPENAI_ANSWER,
    TOOL,
)
from tests.application.orchestration.dialects.sdk_gateway import serving


class City(BaseModel):
    city: str


async def test_structured_output_crosses_the_dialects() -> None:
    message = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": '{"city":"Rome"}'}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    async with serving("anthropic", json.dumps(message).encode()) as gateway, gateway.openai() as client:
        completion = await client.chat.completions.parse(model="m", messages=HELLO, response_format=City)

    assert completion.choices[0].message.parsed == City(city="Rome")
    wanted = gateway.prepared["output_config"]["format"]
    assert wanted["type"] == "json_schema"
    assert wanted["schema"]["properties"] == {"city": {"title": "City", "type": "string"}}


async def test_structured_output_crosses_the_other_way() -> None:
    completion = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-x",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": '{"city":"Rome"}'},
            }
        ],
    }
    async with serving("openai", json.dumps(completion).encode()) as gateway, gateway.anthropic() as client:
        message = await client.messages.parse(model="m", max_tokens=50, messages=HELLO, output_format=City)

    assert message.parsed_output == City(city="Rome")
    assert gateway.prepared["response_format"]["json_schema"]["strict"] is True


async def test_a_tool_conversation_of_the_openai_sdk_is_a_valid_messages_request() -> None:
    image: Any = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    async with serving("anthropic", ANTHROPIC_ANSWER) as gateway, gateway.openai() as client:
        async with client.chat.completions.stream(model="m", messages=HELLO, tools=[FUNCTION]) as stream:
            asked = (await stream.get_final_completion()).choices[0].message
        sent_back: Any = asked.model_dump()
        answers: Any = [
            {"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in asked.tool_calls or []
        ]
        last: Any = {"role": "user", "content": [{"type": "text", "text": "and here?"}, image]}
        chunks = await client.chat.completions.create(
            model="m",
            stream=True,
            messages=[{"role": "developer", "content": "be brief"}, *HELLO, sent_back, *answers, last],
            tools=[FUNCTION],
            tool_choice="required",
            parallel_tool_calls=False,
            temperature=0.5,
            stop=["END"],
            max_completion_tokens=50,
        )
        async for _ in chunks:
            pass

    body = gateway.prepared
    TypeAdapter(MessageCreateParamsNonStreaming).validate_python({**body, "stream": False})
    assert body.keys() - get_type_hints(MessageCreateParamsNonStreaming).keys() == {"temperature"}
    assert body["system"] == "be brief"
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user", "user"]
    blocks = body["messages"][1]["content"]
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use", "tool_use"]
    assert blocks[0] == {"type": "thinking", "thinking": "hm", "signature": "sig"}
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}


async def test_a_tool_conversation_of_the_anthropic_sdk_is_a_valid_chat_request() -> None:
    async with serving("openai", OPENAI_ANSWER) as gateway, gateway.anthropic() as client:
        async with client.messages.stream(
            model="m", max_tokens=100, messages=HELLO, tools=[TOOL], thinking={"type": "adaptive"}
        ) as stream:
            asked = await stream.get_final_message()
        results: Any = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "sunny"}
            for block in asked.content
            if block.type == "tool_use"
        ]
        turns: Any = [*HELLO, asked.to_param(), {"role": "user", "content": results}]
        async with client.messages.stream(
            model="m",
            max_tokens=100,
            messages=turns,
            system=[{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
            tools=[TOOL],
            tool_choice={"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
            stop_sequences=["END"],
        ) as stream:
            await stream.get_final_message()

    body = gateway.prepared
    TypeAdapter(CompletionCreateParamsNonStreaming).validate_python({**body, "stream": False})
    assert body.keys() <= get_type_hints(CompletionCreateParamsNonStreaming).keys()
    assert [message["role"] for message in body["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
    ]
    assert body["messages"][2]["reasoning_content"] == "hm"
    assert [call["id"] for call in body["messages"][2]["tool_calls"]] == ["c1", "c2"]
    assert body["max_completion_tokens"] == 100
