"""An Anthropic stream in OpenAI chunks; what the SDK makes of them is tested beside."""

from __future__ import annotations

from typing import Any

from tests.application.orchestration.dialects.bodies import (
    MESSAGE_STOP,
    PING,
    anthropic_stream,
    block_delta,
    block_start,
    block_stop,
    chat,
    message_delta,
    message_start,
)
from tests.application.orchestration.dialects.translation import translate


def deltas(events: list[Any]) -> list[Any]:
    return [event["choices"][0]["delta"] for event in events if event != "[DONE]" and event["choices"]]


def test_anthropic_events_become_chunks() -> None:
    events = translate(
        chat(stream=True, stream_options={"include_usage": True}),
        "anthropic",
        anthropic_stream(
            message_start(cache_read_input_tokens=3),
            block_start(0, type="text", text=""),
            PING,
            block_delta(0, type="text_delta", text="Hello"),
            block_stop(0),
            message_delta("end_turn", output_tokens=5),
            MESSAGE_STOP,
        ),
    )

    assert deltas(events) == [{"role": "assistant", "content": "", "refusal": None}, {"content": "Hello"}, {}]
    assert {(event["id"], event["created"], event["model"]) for event in events[:-1]} == {
        ("ours", 99, "claude-x")
    }
    assert events[-3]["choices"][0]["finish_reason"] == "stop"
    assert events[-2]["choices"] == []
    assert events[-2]["usage"]["prompt_tokens"] == 10
    assert events[-2]["usage"]["completion_tokens"] == 5
    assert events[-1] == "[DONE]"


def test_usage_is_told_only_to_those_who_asked() -> None:
    stream = anthropic_stream(message_start(), message_delta("end_turn"), MESSAGE_STOP)

    events = translate(chat(stream=True), "anthropic", stream)

    assert all("usage" not in event for event in events[:-1])
    assert all(event["choices"] for event in events[:-1])


def test_anthropic_tool_use_becomes_numbered_calls_with_complete_arguments() -> None:
    events = translate(
        chat(stream=True),
        "anthropic",
        anthropic_stream(
            message_start(),
            block_start(0, type="text", text="a"),
            block_stop(0),
            block_start(1, type="tool_use", id="t1", name="f", input={}),
            block_delta(1, type="input_json_delta", partial_json=""),
            block_delta(1, type="input_json_delta", partial_json='{"x": 1}'),
            block_stop(1),
            block_start(2, type="tool_use", id="t2", name="now", input={}),
            block_stop(2),
            message_delta("tool_use"),
            MESSAGE_STOP,
        ),
    )

    calls = [delta["tool_calls"][0] for delta in deltas(events) if "tool_calls" in delta]
    assert [call["index"] for call in calls] == [0, 0, 1, 1]
    assert [call["function"].get("arguments") for call in calls] == ["", '{"x": 1}', "", "{}"]
    assert [(call["id"], call["function"]["name"]) for call in calls if "id" in call] == [
        ("t1", "f"),
        ("t2", "now"),
    ]
    assert events[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_anthropic_thinking_is_shown_and_can_be_sent_back() -> None:
    events = translate(
        chat(stream=True),
        "anthropic",
        anthropic_stream(
            message_start(),
            block_start(0, type="thinking", thinking="", signature=""),
            block_delta(0, type="thinking_delta", thinking="h"),
            block_delta(0, type="thinking_delta", thinking="m"),
            block_delta(0, type="signature_delta", signature="sig"),
            block_stop(0),
        ),
    )

    assert deltas(events)[1:] == [
        {"reasoning_content": "h"},
        {"reasoning_content": "m"},
        {"thinking_blocks": [{"index": 0, "type": "thinking", "thinking": "hm", "signature": "sig"}]},
    ]
