"""Whole answers in the other dialect: content, reasons, usage, and what is malformed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from application.orchestration.dialects.model import ChatRequest, Dialect, MalformedAnswer, TokenUsage
from application.orchestration.dialects.responses import (
    decode_answer,
    finish_reason_of,
    text_of,
    translate_answer,
)
from application.orchestration.dialects.usage import usage_of, write_anthropic, write_openai
from tests.application.orchestration.dialects.bodies import chat, messages

THINKING = {"type": "thinking", "thinking": "hm", "signature": "sig"}


def message(**fields: Any) -> dict[str, Any]:
    return {
        "id": "msg_up",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
        **fields,
    }


def completion(finish_reason: str | None = "stop", **fields: Any) -> dict[str, Any]:
    answer = {"role": "assistant", "content": "Hello", **fields}
    return {
        "id": "up",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-x",
        "choices": [{"index": 0, "message": answer, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def call(arguments: str, **fields: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}, **fields}


def answered(request: ChatRequest, upstream: Dialect, body: dict[str, Any]) -> dict[str, Any]:
    return translate_answer(request, upstream, body, answer_id="ours", created=99)


def test_the_same_dialect_is_left_alone() -> None:
    body = completion()

    assert answered(chat(), "openai", body) is body


def test_a_message_becomes_a_completion_the_sdk_reads() -> None:
    tool = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
    body = answered(
        chat(),
        "anthropic",
        message(content=[THINKING, {"type": "text", "text": "Hi"}, tool], stop_reason="tool_use"),
    )

    parsed = ChatCompletion.model_validate(json.loads(json.dumps(body)), strict=True)
    assert (parsed.id, parsed.created, parsed.model) == ("ours", 99, "claude-x")
    choice = parsed.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("Hi", "tool_calls")
    assert choice.message.tool_calls is not None
    assert choice.message.tool_calls[0].to_dict() == {
        "id": "t1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a":1}'},
    }
    assert body["choices"][0]["message"]["reasoning_content"] == "hm"
    assert body["choices"][0]["message"]["thinking_blocks"] == [THINKING]


def test_a_completion_becomes_a_message_the_sdk_reads() -> None:
    body = answered(messages(), "openai", completion("tool_calls", tool_calls=[call('{"a": 1}')]))

    parsed = Message.model_validate(json.loads(json.dumps(body)), strict=True)
    assert (parsed.id, parsed.model, parsed.stop_reason) == ("ours", "gpt-x", "tool_use")
    assert [block.type for block in parsed.content] == ["text", "tool_use"]
    assert body["content"][1] == {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}
    assert (parsed.usage.input_tokens, parsed.usage.output_tokens) == (10, 5)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_stop_reasons_become_finish_reasons(reason: str, expected: str) -> None:
    body = answered(chat(), "anthropic", message(stop_reason=reason))

    assert finish_reason_of("openai", body) == expected


@pytest.mark.parametrize(
    ("reason", "fields", "expected"),
    [
        ("stop", {}, "end_turn"),
        ("length", {}, "max_tokens"),
        ("content_filter", {}, "refusal"),
        ("tool_calls", {"tool_calls": [call("{}")]}, "tool_use"),
        ("stop", {"tool_calls": [call("{}")]}, "tool_use"),
        ("stop", {"content": None, "refusal": "no"}, "refusal"),
        (None, {}, "end_turn"),
    ],
)
def test_finish_reasons_become_stop_reasons(
    reason: str | None, fields: dict[str, Any], expected: str
) -> None:
    body = answered(messages(), "openai", completion(reason, **fields))

    assert finish_reason_of("anthropic", body) == expected


def test_a_refusal_keeps_its_words_both_ways() -> None:
    details = {"type": "refusal", "explanation": "harmful"}

    there = answered(messages(), "openai", completion(content=None, refusal="no"))
    back = answered(chat(), "anthropic", message(content=[], stop_reason="refusal", stop_details=details))

    assert text_of("anthropic", there) == "no"
    assert back["choices"][0]["message"]["refusal"] == "harmful"


def test_reasoning_is_shown_to_callers_who_asked_for_thinking() -> None:
    body = completion(reasoning_content="hm")

    asked = answered(messages(thinking={"type": "adaptive"}), "openai", body)
    silent = answered(messages(), "openai", body)

    assert [block["type"] for block in asked["content"]] == ["thinking", "text"]
    assert [block["type"] for block in silent["content"]] == ["text"]


def test_arguments_that_are_no_object_are_malformed_unless_cut_off() -> None:
    with pytest.raises(MalformedAnswer, match="tool call 0"):
        answered(messages(), "openai", completion("tool_calls", tool_calls=[call('{"a": ')]))

    cut = answered(messages(), "openai", completion("length", content=None, tool_calls=[call('{"a": ')]))
    assert (cut["stop_reason"], cut["content"][0]["input"]) == ("max_tokens", {})


def test_a_call_without_id_gets_one() -> None:
    body = answered(messages(), "openai", completion(tool_calls=[call("{}", id=None)]))

    assert body["content"][1]["id"] == "toolu_ours_0"


@pytest.mark.parametrize(
    ("request_", "upstream", "body"),
    [
        (chat(), "anthropic", {}),
        (chat(), "anthropic", {"content": "text"}),
        (messages(), "openai", {"choices": []}),
        (messages(), "openai", {"choices": [{}]}),
        (messages(), "openai", {"choices": "none"}),
    ],
)
def test_an_answer_without_its_body_is_malformed(
    request_: ChatRequest, upstream: Dialect, body: dict[str, Any]
) -> None:
    with pytest.raises(MalformedAnswer):
        answered(request_, upstream, body)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b"\xff", b'{"a":1'])
def test_an_answer_that_is_no_json_object_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        decode_answer(raw)


def test_text_is_read_from_every_shape_of_answer() -> None:
    assert text_of("openai", completion()) == "Hello"
    assert (
        text_of("openai", completion(content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]))
        == "ab"
    )
    assert text_of("anthropic", message(content=[THINKING, {"type": "text", "text": "Hi"}])) == "Hi"
    assert text_of("openai", {"choices": None}) == ""


ANTHROPIC_USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 30,
    "cache_creation_input_tokens": 5,
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 2},
}
OPENAI_USAGE = {
    "prompt_tokens": 45,
    "completion_tokens": 7,
    "total_tokens": 52,
    "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
USAGE = TokenUsage(
    input_tokens=45, cached_input_tokens=30, cache_write_tokens=5, output_tokens=7, reasoning_tokens=2
)


def test_both_conventions_of_cached_tokens_read_the_same() -> None:
    assert usage_of("anthropic", {"usage": ANTHROPIC_USAGE}) == USAGE
    assert usage_of("openai", {"usage": OPENAI_USAGE}) == USAGE


def test_usage_is_written_in_each_convention() -> None:
    assert write_anthropic(USAGE) == ANTHROPIC_USAGE
    assert write_openai(USAGE) == OPENAI_USAGE


def test_an_explicit_zero_differs_from_silence() -> None:
    silent = usage_of("openai", {"usage": {"prompt_tokens": 3}})
    zero = usage_of("openai", {"usage": {"prompt_tokens": 3, "completion_tokens": 0}})

    assert silent is not None
    assert zero is not None
    assert (silent.output_tokens, zero.output_tokens) == (None, 0)
    assert zero.cached_input_tokens is None


@pytest.mark.parametrize(
    "usage", [None, {}, [], "x", {"prompt_tokens": "5"}, {"prompt_tokens": -1}, {"prompt_tokens": True}]
)
def test_usage_that_says_nothing_is_none(usage: object) -> None:
    assert usage_of("openai", {"usage": usage}) is None


def test_embeddings_answers_tell_their_usage() -> None:
    body: dict[str, Any] = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "model": "e",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }

    assert CreateEmbeddingResponse.model_validate(body).usage.prompt_tokens == 4
    assert usage_of("openai", body) == TokenUsage(input_tokens=4)
