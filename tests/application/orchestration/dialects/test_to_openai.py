"""Messages said in the chat-completions dialect, feature by feature."""

from __future__ import annotations

from typing import Any

import pytest

from application.orchestration.dialects.model import Untranslatable
from application.orchestration.dialects.to_openai import to_openai
from tests.application.orchestration.dialects.bodies import WEATHER_SCHEMA, messages

WEATHER = {"name": "weather", "description": "d", "input_schema": WEATHER_SCHEMA}
EPHEMERAL = {"type": "ephemeral"}


def translated(**fields: Any) -> dict[str, Any]:
    return to_openai(messages(**fields).body)


def said(*turns: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    return list(translated(messages=list(turns), **fields)["messages"])


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, **more}


def test_the_system_prompt_comes_first() -> None:
    assert said({"role": "user", "content": "hi"}, system="be kind") == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hi"},
    ]


def test_system_blocks_lose_their_cache_marks_and_nothing_else() -> None:
    blocks = [text("one", cache_control=EPHEMERAL), text("two")]

    [system, _] = said({"role": "user", "content": "hi"}, system=blocks)

    assert system["content"] == [text("one"), text("two")]


def test_system_turns_stay_where_they_are() -> None:
    roles = said({"role": "user", "content": "a"}, {"role": "system", "content": "b"})

    assert [message["role"] for message in roles] == ["user", "system"]


def test_blocks_become_parts() -> None:
    png = {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}
    plain = {"type": "text", "media_type": "text/plain", "data": "note"}

    [message] = said(
        user(
            text("look"),
            {"type": "image", "source": png, "cache_control": EPHEMERAL},
            {"type": "image", "source": {"type": "url", "url": "https://x"}},
            {"type": "document", "source": pdf, "title": "a.pdf"},
            {"type": "document", "source": plain},
        )
    )

    assert message["content"] == [
        text("look"),
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "image_url", "image_url": {"url": "https://x"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
        text("note"),
    ]


def test_tool_use_and_results_become_calls_and_tool_messages() -> None:
    asked, *answers, followed = said(
        assistant(
            text("let me see"),
            {
                "type": "tool_use",
                "id": "t1",
                "name": "weather",
                "input": {"city": "Röm"},
                "caller": {"type": "direct"},
            },
            {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
        ),
        user(
            {"type": "tool_result", "tool_use_id": "t1", "content": [text("sunny")]},
            {"type": "tool_result", "tool_use_id": "t2", "content": "broken", "is_error": True},
            text("thanks"),
        ),
    )

    assert asked["content"] == "let me see"
    assert [call["function"] for call in asked["tool_calls"]] == [
        {"name": "weather", "arguments": '{"city":"Röm"}'},
        {"name": "now", "arguments": "{}"},
    ]
    assert answers == [
        {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "t2", "content": "Error: broken"},
    ]
    assert followed == {"role": "user", "content": "thanks"}


def test_a_call_without_words_has_no_content() -> None:
    [message] = said(assistant({"type": "tool_use", "id": "t", "name": "f", "input": {}}))

    assert message["content"] is None


def test_a_result_without_content_is_empty() -> None:
    [message] = said(user({"type": "tool_result", "tool_use_id": "t"}))

    assert message["content"] == ""


def test_signed_reasoning_stays_behind_and_unsigned_goes_home() -> None:
    [message] = said(
        assistant(
            {"type": "thinking", "thinking": "secret", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xx"},
            {"type": "thinking", "thinking": "mine", "signature": "aios-unsigned"},
            text("x"),
        )
    )

    assert message == {"role": "assistant", "content": "x", "reasoning_content": "mine"}


def test_tools_become_functions() -> None:
    tool = {
        **WEATHER,
        "type": "custom",
        "cache_control": EPHEMERAL,
        "strict": True,
        "allowed_callers": ["direct"],
    }

    [translated_tool] = translated(tools=[tool])["tools"]

    function = {"name": "weather", "parameters": WEATHER_SCHEMA, "description": "d", "strict": True}
    assert translated_tool == {"type": "function", "function": function}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        (
            {"type": "tool", "name": "weather"},
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
        ),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
    ],
)
def test_tool_choice(choice: dict[str, Any], expected: dict[str, Any]) -> None:
    body = translated(tools=[WEATHER], tool_choice=choice)

    assert {name: body[name] for name in ("tool_choice", "parallel_tool_calls") if name in body} == expected


SCHEMA_FORMAT = {"type": "json_schema", "schema": WEATHER_SCHEMA}
RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "response", "schema": WEATHER_SCHEMA, "strict": True},
}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"temperature": 1, "top_p": 0.5}, {"temperature": 1, "top_p": 0.5}),
        ({"top_k": 4}, {"top_k": 4}),
        ({"stop_sequences": ["a"]}, {"stop": ["a"]}),
        ({"metadata": {"user_id": "u"}}, {"user": "u"}),
        ({"service_tier": "standard_only"}, {"service_tier": "default"}),
        ({"thinking": {"type": "adaptive"}}, {}),
        ({"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 20}}, {"reasoning_effort": "low"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 50}}, {"reasoning_effort": "medium"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 90}}, {"reasoning_effort": "high"}),
        ({"output_config": {"effort": "xhigh"}}, {"reasoning_effort": "xhigh"}),
        (
            {"output_config": {"effort": "low"}, "thinking": {"type": "enabled", "budget_tokens": 90}},
            {"reasoning_effort": "low"},
        ),
        ({"output_config": {"format": SCHEMA_FORMAT}}, {"response_format": RESPONSE_FORMAT}),
        ({"output_format": SCHEMA_FORMAT}, {"response_format": RESPONSE_FORMAT}),
        ({"tool_choice": {"type": "auto"}}, {}),
        ({"cache_control": EPHEMERAL, "speed": "standard"}, {}),
        ({"vendor_field": 1}, {"vendor_field": 1}),
    ],
)
def test_options(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    body = translated(**fields)
    del body["messages"]

    assert body == expected


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"container": "c"}, "/container"),
        ({"mcp_servers": [{}]}, "/mcp_servers"),
        ({"inference_geo": "eu"}, "/inference_geo"),
        ({"speed": "fast"}, "/speed"),
        ({"metadata": {"user_id": "u", "x": 1}}, "/metadata/x"),
        ({"service_tier": "batch"}, "/service_tier"),
        ({"thinking": {"type": "between_tools"}}, "/thinking/type"),
        ({"thinking": {"type": "enabled"}}, "/thinking/budget_tokens"),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
            "/output_config/effort",
        ),
        ({"output_config": {"effort": "enormous"}}, "/output_config/effort"),
        ({"output_config": {"task_budget": {}}}, "/output_config/task_budget"),
        ({"output_config": {"format": {"type": "grammar"}}}, "/output_config/format/type"),
        ({"output_config": {"format": SCHEMA_FORMAT}, "output_format": SCHEMA_FORMAT}, "/output_format"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "/tools/0/type"),
        ({"tools": [{**WEATHER, "input_examples": [{}]}]}, "/tools/0/input_examples"),
        ({"tools": [{**WEATHER, "defer_loading": True}]}, "/tools/0/defer_loading"),
        ({"tool_choice": {"type": "any"}}, "/tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool"}}, "/tool_choice/name"),
        ({"tools": [WEATHER], "tool_choice": {"type": "maybe"}}, "/tool_choice/type"),
        ({"messages": [user({"type": "search_result"})]}, "/messages/0/content/0/type"),
        (
            {"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]},
            "/messages/0/content/0/source",
        ),
        (
            {"messages": [user({"type": "document", "source": {"type": "url", "url": "u"}})]},
            "/messages/0/content/0/source",
        ),
        (
            {"messages": [user(text("x", citations=[{"type": "char_location"}]))]},
            "/messages/0/content/0/citations",
        ),
        (
            {
                "messages": [
                    user(
                        {
                            "type": "tool_result",
                            "tool_use_id": "t",
                            "content": [{"type": "image", "source": {"type": "url", "url": "u"}}],
                        }
                    )
                ]
            },
            "/messages/0/content/0/content/0/type",
        ),
        (
            {
                "messages": [
                    assistant({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})
                ]
            },
            "/messages/0/content/0/type",
        ),
        ({"messages": [{"role": "user", "content": "x", "name": "bob"}]}, "/messages/0/name"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Untranslatable) as refusal:
        translated(**fields)

    assert refusal.value.errors[0].pointer == pointer
