"""Options of chat completions said in the Messages dialect, and what is refused, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from application.orchestration.dialects.model import Untranslatable
from application.orchestration.dialects.to_anthropic import HINTS, to_anthropic
from tests.application.orchestration.dialects.bodies import WEATHER_SCHEMA, chat

WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "d", "parameters": WEATHER_SCHEMA, "strict": True},
}


def translated(**fields: Any) -> dict[str, Any]:
    return to_anthropic(chat(**fields).body)


def call(name: str, arguments: str, call_id: str = "call_1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_tools_become_input_schemas() -> None:
    bare = {"type": "function", "function": {"name": "now"}}

    assert translated(tools=[WEATHER, bare])["tools"] == [
        {"name": "weather", "description": "d", "input_schema": WEATHER_SCHEMA, "strict": True},
        {"name": "now", "input_schema": {"type": "object"}},
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {"type": "tool", "name": "weather"},
        ),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"parallel_tool_calls": False, "tool_choice": "required"},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
    ],
)
def test_tool_choice(fields: dict[str, Any], expected: Any) -> None:
    assert translated(tools=[WEATHER], **fields).get("tool_choice") == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"stop": "a"}, {"stop_sequences": ["a"]}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"stop": []}, {}),
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"safety_identifier": "s", "user": "s"}, {"metadata": {"user_id": "s"}}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
        ({"reasoning_effort": "minimal"}, {"output_config": {"effort": "low"}}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"response_format": {"type": "text"}}, {}),
        ({"n": 1, "logprobs": False, "presence_penalty": 0, "store": False, "logit_bias": {}}, {}),
        ({"modalities": ["text"], "verbosity": "medium", "metadata": {}}, {}),
        ({"tool_choice": "none"}, {}),
        ({"stream_options": {"include_usage": True, "include_obfuscation": False}}, {}),
        ({"top_k": 5, "thinking": {"type": "adaptive"}}, {"top_k": 5, "thinking": {"type": "adaptive"}}),
    ],
)
def test_options(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    body = translated(**fields)
    del body["messages"]

    assert body == expected


def test_a_schema_becomes_the_output_format_beside_the_effort() -> None:
    wanted = {"name": "w", "description": "a place", "schema": WEATHER_SCHEMA, "strict": True}
    body = translated(response_format={"type": "json_schema", "json_schema": wanted}, reasoning_effort="low")

    schema = {**WEATHER_SCHEMA, "description": "a place"}
    assert body["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": schema}}


@pytest.mark.parametrize("hint", sorted(HINTS))
def test_hints_are_not_sent(hint: str) -> None:
    assert translated(**{hint: "x"}) == translated()


IMAGE_PART = {"type": "image_url", "image_url": {"url": "https://x", "detail": "high"}}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"n": 2}, "/n"),
        ({"logprobs": True}, "/logprobs"),
        ({"top_logprobs": 3}, "/top_logprobs"),
        ({"logit_bias": {"1": 5}}, "/logit_bias"),
        ({"frequency_penalty": 0.5}, "/frequency_penalty"),
        ({"seed": 0}, "/seed"),
        ({"store": True}, "/store"),
        ({"metadata": {"a": "b"}}, "/metadata"),
        ({"modalities": ["text", "audio"]}, "/modalities"),
        ({"functions": [{"name": "f"}]}, "/functions"),
        ({"verbosity": "low"}, "/verbosity"),
        ({"web_search_options": {}}, "/web_search_options"),
        ({"temperature": 1.2}, "/temperature"),
        ({"temperature": -0.1}, "/temperature"),
        ({"stop": ["x", " \n"]}, "/stop/1"),
        ({"stop": ""}, "/stop"),
        ({"user": "a", "safety_identifier": "b"}, "/user"),
        ({"service_tier": "flex"}, "/service_tier"),
        ({"reasoning_effort": "extreme"}, "/reasoning_effort"),
        ({"reasoning_effort": "none", "thinking": {"type": "adaptive"}}, "/thinking"),
        ({"response_format": {"type": "json_object"}}, "/response_format/type"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            "/response_format/json_schema/schema",
        ),
        ({"stream_options": {"include_obfuscation": True}}, "/stream_options/include_obfuscation"),
        ({"tool_choice": "required"}, "/tool_choice"),
        ({"tools": [WEATHER], "tool_choice": "sometimes"}, "/tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools"}}, "/tool_choice/type"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "/tools/0/type"),
        ({"tools": [{**WEATHER, "x": 1}]}, "/tools/0/x"),
        ({"messages": [{"role": "system", "content": "s"}]}, "/messages"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "/messages/0/role"),
        ({"messages": [{"role": "user", "content": "x", "name": "bob"}]}, "/messages/0/name"),
        ({"messages": [{"role": "user", "content": [IMAGE_PART]}]}, "/messages/0/content/0/image_url/detail"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]}
                ]
            },
            "/messages/0/content/0/image_url/url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
            "/messages/0/content/0/type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
            "/messages/0/content/0/file/file_id",
        ),
        (
            {"messages": [{"role": "system", "content": [IMAGE_PART]}, {"role": "user", "content": "x"}]},
            "/messages/0/content/0/type",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [call("f", "[1]")]}]},
            "/messages/0/tool_calls/0/function/arguments",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [call("f", "{", "")]}]},
            "/messages/0/tool_calls/0/id",
        ),
        (
            {"messages": [{"role": "assistant", "content": "x", "audio": {"id": "a"}}]},
            "/messages/0/audio",
        ),
        (
            {"messages": [{"role": "assistant", "content": "x", "thinking_blocks": [1]}]},
            "/messages/0/thinking_blocks/0",
        ),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Untranslatable) as refusal:
        translated(**fields)

    assert refusal.value.errors[0].pointer == pointer
    assert refusal.value.message.startswith(pointer)


def test_a_translation_is_json() -> None:
    assert json.dumps(translated(tools=[WEATHER], stop="x", reasoning_effort="low"))
