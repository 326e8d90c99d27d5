"""What a request must have, what it tells the pipeline, and where a refusal points."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.orchestration.dialects.model import ChatRequest
from application.orchestration.dialects.requests import (
    parse_chat,
    parse_count_tokens,
    parse_embeddings,
    parse_messages,
)
from domain.kernel.errors import InvalidInput
from tests.application.orchestration.dialects.bodies import chat, chat_body, messages, messages_body

PARSERS = [parse_chat, parse_messages, parse_embeddings, parse_count_tokens]


def pointers_of(parse: Callable[[bytes], ChatRequest], body: Any) -> list[str]:
    with pytest.raises(InvalidInput) as refusal:
        parse(json.dumps(body).encode())
    assert all(error.detail for error in refusal.value.errors)
    return [error.pointer for error in refusal.value.errors]


def test_a_chat_request_tells_the_pipeline_what_it_needs() -> None:
    request = chat(stream=True, n=2, max_completion_tokens=50, stream_options={"include_usage": True})

    assert (request.dialect, request.operation, request.model) == ("openai", "chat", "gpt-x")
    assert request.stream
    assert request.client_wants_usage
    assert (request.max_tokens, request.choices) == (50, 2)
    assert json.loads(request.raw) == request.body


def test_a_stream_hides_usage_unless_it_was_asked_for() -> None:
    assert not chat(stream=True).client_wants_usage
    assert not chat(stream=True, stream_options={"include_usage": False}).client_wants_usage
    assert chat(stream=False).client_wants_usage
    assert messages(stream=True).client_wants_usage


def test_the_smaller_of_two_limits_counts() -> None:
    assert chat(max_tokens=9, max_completion_tokens=5).max_tokens == 5
    assert chat().max_tokens is None
    assert messages().max_tokens == 100


def test_unknown_fields_and_part_types_pass() -> None:
    content = [{"type": "video_url", "video_url": {"url": "x"}}, {"type": "text", "text": "hi"}]
    request = chat(
        messages=[{"role": "user", "content": content}], guided_regex="a+", chat_template_kwargs={}
    )

    assert request.body["guided_regex"] == "a+"


def test_nulls_count_as_absent() -> None:
    request = chat(stream=None, max_tokens=None, temperature=None, stop=None, tools=None, n=None)

    assert (request.stream, request.max_tokens, request.choices) == (False, None, 1)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"model": None}, "/model"),
        ({"model": ""}, "/model"),
        ({"model": "a\nb"}, "/model"),
        ({"model": "x" * 257}, "/model"),
        ({"messages": []}, "/messages"),
        ({"messages": "hi"}, "/messages"),
        ({"messages": ["hi"]}, "/messages/0"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "/messages/0/role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "/messages/0/role"),
        ({"messages": [{"role": "user"}]}, "/messages/0/content"),
        ({"messages": [{"role": "user", "content": None}]}, "/messages/0/content"),
        ({"messages": [{"role": "user", "content": 5}]}, "/messages/0/content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "/messages/0/content/0"),
        ({"messages": [{"role": "user", "content": [{"type": ["text"]}]}]}, "/messages/0/content/0/type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "/messages/0/content/0/text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "u"}]}]},
            "/messages/0/content/0/image_url",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "/messages/0/tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "/messages/0/tool_calls/0/id"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f"}}]}]},
            "/messages/0/tool_calls/0/function/arguments",
        ),
        ({"stream": "yes"}, "/stream"),
        ({"stream_options": []}, "/stream_options"),
        ({"stream_options": {"include_usage": 1}}, "/stream_options/include_usage"),
        ({"max_tokens": 0}, "/max_tokens"),
        ({"max_tokens": 1.5}, "/max_tokens"),
        ({"max_tokens": True}, "/max_tokens"),
        ({"max_completion_tokens": 2**31}, "/max_completion_tokens"),
        ({"n": 0}, "/n"),
        ({"temperature": "hot"}, "/temperature"),
        ({"temperature": True}, "/temperature"),
        ({"stop": [1]}, "/stop/0"),
        ({"stop": 1}, "/stop"),
        ({"tools": {}}, "/tools"),
        ({"tools": [{"type": "function"}]}, "/tools/0/function"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "/tools/0/function/name"),
        ({"tool_choice": 1}, "/tool_choice"),
        ({"response_format": {"type": "json_schema"}}, "/response_format/json_schema"),
    ],
)
def test_an_unusable_chat_field_is_named(fields: dict[str, Any], pointer: str) -> None:
    assert pointer in pointers_of(parse_chat, chat_body(**fields))


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"max_tokens": None}, "/max_tokens"),
        ({"max_tokens": -1}, "/max_tokens"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "/messages/0/role"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "/messages/0/content/0/source"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f"}]}]},
            "/messages/0/content/0/input",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
            "/messages/0/content/0/tool_use_id",
        ),
        ({"system": 1}, "/system"),
        ({"system": [{"type": "text"}]}, "/system/0/text"),
        ({"tools": [{"name": "f"}]}, "/tools/0/input_schema"),
        ({"tools": [{"type": ["x"], "name": "f"}]}, "/tools/0/type"),
        ({"tool_choice": "auto"}, "/tool_choice"),
        ({"thinking": {}}, "/thinking/type"),
        ({"stop_sequences": "x"}, "/stop_sequences"),
        ({"top_k": -1}, "/top_k"),
    ],
)
def test_an_unusable_messages_field_is_named(fields: dict[str, Any], pointer: str) -> None:
    assert pointer in pointers_of(parse_messages, messages_body(**fields))


def test_every_bad_field_is_named_at_once() -> None:
    found = pointers_of(parse_chat, {"messages": [], "stream": 1, "temperature": "x"})

    assert found == ["/model", "/messages", "/stream", "/temperature"]


def test_server_tools_and_zero_max_tokens_are_valid_messages_requests() -> None:
    request = messages(max_tokens=0, tools=[{"type": "web_search_20260318", "name": "web_search"}])

    assert request.max_tokens == 0


@pytest.mark.parametrize("given_input", ["text", ["a", "b"], [1, 2, 3], [[1], [2, 3]]])
def test_every_form_of_embedding_input_is_accepted(given_input: Any) -> None:
    request = parse_embeddings(json.dumps({"model": "e", "input": given_input}).encode())

    assert (request.operation, request.stream, request.max_tokens) == ("embeddings", False, None)


@pytest.mark.parametrize(
    ("given_input", "pointer"),
    [
        ("", "/input"),
        ([], "/input"),
        ([""], "/input/0"),
        ([1, "a"], "/input/1"),
        ([[]], "/input/0"),
        (5, "/input"),
    ],
)
def test_unusable_embedding_input_is_named(given_input: Any, pointer: str) -> None:
    assert pointer in pointers_of(parse_embeddings, {"model": "e", "input": given_input})


def test_counting_needs_no_max_tokens() -> None:
    body = messages_body()
    del body["max_tokens"]

    assert parse_count_tokens(json.dumps(body).encode()).operation == "count_tokens"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        *("model", "messages", "stream", "stream_options", "max_tokens", "n", "temperature", "stop", "tools"),
        *("tool_choice", "response_format", "system", "thinking", "input", "metadata", "stop_sequences"),
    ]
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": JSON},
    optional={"tool_calls": JSON, "tool_call_id": JSON},
)


@pytest.mark.parametrize("parse", PARSERS)
@given(body=st.dictionaries(FIELDS, JSON | st.lists(MESSAGE, max_size=3), max_size=6))
def test_any_json_parses_or_is_refused(parse: Callable[[bytes], ChatRequest], body: dict[str, Any]) -> None:
    raw = json.dumps({"model": "m", "max_tokens": 1, **body}).encode()
    try:
        sound = parse(raw).input_token_bound > 0
    except InvalidInput as refusal:
        sound = len(refusal.errors) > 0

    assert sound


@pytest.mark.parametrize("parse", PARSERS)
@given(raw=st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(parse: Callable[[bytes], ChatRequest], raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse(raw)
