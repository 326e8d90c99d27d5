"""An OpenAI stream in Anthropic events; what the SDK makes of them is tested beside."""

from __future__ import annotations

from typing import Any

import pytest

from application.orchestration.dialects.model import MalformedAnswer
from tests.application.orchestration.dialects.bodies import (
    messages,
    openai_stream,
    usage_chunk,
)
from tests.application.orchestration.dialects.translation import translate


def kinds(events: list[Any]) -> list[str]:
    names = [event["type"] for event in events if event["type"] != "ping"]
    return [name.removeprefix("content_block_") for name in names]


def test_openai_text_becomes_one_text_block() -> None:
    events = translate(
        messages(),
        "openai",
        openai_stream(
            {"role": "assistant", "content": ""},
            {"content": "Hel"},
            {"content": "lo"},
            {"finish_reason": "stop"},
            usage_chunk(prompt_tokens=3, completion_tokens=2, prompt_tokens_details={"cached_tokens": 1}),
            "[DONE]",
        ),
    )

    assert kinds(events) == [
        "message_start",
        "start",
        "delta",
        "delta",
        "stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0]["message"]["id"] == "ours"
    assert events[0]["message"]["model"] == "gpt-x"
    assert events[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert events[-2]["usage"] == {"input_tokens": 2, "output_tokens": 2, "cache_read_input_tokens": 1}


def test_openai_blocks_open_and_close_one_after_another() -> None:
    def call(index: int, **fields: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, **fields}]}

    events = translate(
        messages(thinking={"type": "adaptive"}),
        "openai",
        openai_stream(
            {"reasoning_content": "hm"},
            {"content": "let me see"},
            call(0, id="a", function={"name": "f", "arguments": ""}),
            call(0, function={"arguments": '{"x":'}),
            call(0, function={"arguments": "1}"}),
            call(1, id="b", function={"name": "g", "arguments": "{}"}),
            {"finish_reason": "tool_calls"},
            "[DONE]",
        ),
    )

    opened = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [block["type"] for block in opened] == ["thinking", "text", "tool_use", "tool_use"]
    assert [(block["id"], block["name"]) for block in opened[2:]] == [("a", "f"), ("b", "g")]
    order = [(kind, event.get("index")) for kind, event in zip(kinds(events), _no_pings(events), strict=True)]
    blocks = [entry for entry in order if entry[1] is not None]
    assert blocks == sorted(blocks, key=lambda entry: entry[1])
    assert [kind for kind, index in blocks if index == 2] == ["start", "delta", "delta", "stop"]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def _no_pings(events: list[Any]) -> list[Any]:
    return [event for event in events if event["type"] != "ping"]


def test_reasoning_stays_hidden_from_a_caller_who_did_not_ask() -> None:
    events = translate(
        messages(), "openai", openai_stream({"reasoning_content": "hm"}, {"content": "x"}, "[DONE]")
    )

    assert [event["content_block"]["type"] for event in events if "content_block" in event] == ["text"]


def test_an_openai_refusal_is_text_with_its_reason() -> None:
    events = translate(
        messages(), "openai", openai_stream({"refusal": "no"}, {"finish_reason": "stop"}, "[DONE]")
    )

    assert events[-2]["delta"]["stop_reason"] == "refusal"


def test_calls_told_apart_by_id_alone_are_separate() -> None:
    call = {"index": 0, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    events = translate(
        messages(),
        "openai",
        openai_stream({"tool_calls": [{**call, "id": "a"}]}, {"tool_calls": [{**call, "id": "b"}]}, "[DONE]"),
    )

    assert [event["content_block"]["id"] for event in events if "content_block" in event] == ["a", "b"]


@pytest.mark.parametrize(
    "calls",
    [
        [{"index": 0, "function": {"arguments": "{}"}}],
        [
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
            {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{"}},
            {"index": 0, "function": {"arguments": "}"}},
        ],
    ],
)
def test_calls_that_cannot_be_put_in_order_are_malformed(calls: list[dict[str, Any]]) -> None:
    with pytest.raises(MalformedAnswer, match="tool call 0"):
        translate(messages(), "openai", openai_stream({"tool_calls": calls}))
