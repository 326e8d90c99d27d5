"""The input bound holds for every text, stays small for small messages, and counts attachments."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.orchestration.dialects.measure import (
    IMAGE_TOKENS,
    LOW_DETAIL_IMAGE_TOKENS,
    REMOTE_FILE_TOKENS,
    estimate_tokens,
    measure,
)
from application.orchestration.dialects.requests import parse_embeddings
from tests.application.orchestration.dialects.bodies import (
    WEATHER_SCHEMA,
    chat,
    chat_body,
    messages,
    messages_body,
)


@pytest.mark.parametrize("content", ["hi", [{"type": "text", "text": "hi"}]])
def test_a_two_character_message_is_bounded_by_160_tokens(content: Any) -> None:
    turn = [{"role": "user", "content": content}]
    options = {"max_tokens": 50, "temperature": 0.7, "stream": True, "stop": ["x"]}

    assert chat(messages=turn, **options, stream_options={"include_usage": True}).input_token_bound <= 160
    assert messages(messages=turn, **{**options, "stop": None}).input_token_bound <= 160


@given(st.text(max_size=300))
def test_the_bound_is_never_below_the_bytes_of_the_text(content: str) -> None:
    request = chat(messages=[{"role": "user", "content": content}])

    assert request.input_bytes >= len(content.encode())


@given(st.text(max_size=50), st.text(min_size=1, max_size=50))
def test_more_text_never_lowers_the_bound(first: str, more: str) -> None:
    shorter = measure(chat_body(messages=[{"role": "user", "content": first}]))
    longer = measure(chat_body(messages=[{"role": "user", "content": first + more}]))

    assert longer.token_bound > shorter.token_bound


def test_a_field_no_provider_defines_counts_as_text() -> None:
    assert chat(documents=["x" * 500]).input_bytes >= 500 + chat().input_bytes


def test_tools_count_twice_for_their_rendering() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": WEATHER_SCHEMA}}]

    assert chat(tools=tools).input_bytes >= 2 * len(json.dumps(tools, separators=(",", ":")))


def test_images_and_files_count_by_price_and_not_by_bytes() -> None:
    def with_part(part: dict[str, Any]) -> int:
        return measure(chat_body(messages=[{"role": "user", "content": [part]}])).media_tokens

    data_url = "data:image/png;base64," + "A" * 100_000
    assert with_part({"type": "image_url", "image_url": {"url": data_url}}) == IMAGE_TOKENS
    low = {"type": "image_url", "image_url": {"url": "http://x", "detail": "low"}}
    assert with_part(low) == LOW_DETAIL_IMAGE_TOKENS
    assert with_part({"type": "file", "file": {"file_data": "B" * 500}}) == IMAGE_TOKENS + 500
    assert with_part({"type": "document", "source": {"type": "url", "url": "u"}}) == REMOTE_FILE_TOKENS


def test_a_text_document_counts_as_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "y" * 400}
    turn = {"role": "user", "content": [{"type": "document", "source": source}]}

    assert messages(messages=[turn]).input_bytes >= 400


def test_token_ids_count_one_each() -> None:
    request = parse_embeddings(b'{"model":"e","input":[[1,2,3],[4]]}')

    assert request.input_bytes == 4


def test_the_estimate_is_about_four_characters_a_token() -> None:
    body = messages_body(messages=[{"role": "user", "content": "word " * 400}])

    assert 490 <= estimate_tokens(body) <= 530


def test_the_estimate_takes_other_scripts_as_a_token_a_character() -> None:
    body = messages_body(messages=[{"role": "user", "content": "漢" * 100}])

    assert 100 <= estimate_tokens(body) <= 115
