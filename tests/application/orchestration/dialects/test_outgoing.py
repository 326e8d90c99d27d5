"""The upstream body: the caller's bytes with our model and bounds, or a translation of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from application.orchestration.dialects.model import ChatRequest, Untranslatable
from application.orchestration.dialects.outgoing import ANTHROPIC_VERSION, DEFAULT_MAX_TOKENS, prepare
from application.orchestration.dialects.requests import parse_chat, parse_count_tokens, parse_embeddings
from tests.application.orchestration.dialects.bodies import chat, messages, messages_body


def sent(request: ChatRequest, dialect: Any, **options: Any) -> dict[str, Any]:
    prepared = prepare(request, dialect, "target", **{"max_tokens": None, **options})
    body: dict[str, Any] = json.loads(prepared.body)
    assert body["model"] == "target"
    return body


def test_the_same_dialect_keeps_every_other_byte() -> None:
    raw = (
        b'{"model": "m", "messages":[ {"role":"user","content":"h\\u00e9 \\/"} ], "seed":1.0E+2, '
        b'"big":123456789012345678901}'
    )

    prepared = prepare(parse_chat(raw), "openai", "target", max_tokens=None)

    assert prepared.path == "/chat/completions"
    assert prepared.body == (
        b'{"model":"target","messages":[ {"role":"user","content":"h\\u00e9 \\/"} ],"seed":1.0E+2,'
        b'"big":123456789012345678901}'
    )


@pytest.mark.parametrize(
    ("request_", "dialect", "path"),
    [
        (chat(), "openai", "/chat/completions"),
        (chat(), "anthropic", "/v1/messages"),
        (messages(), "openai", "/chat/completions"),
        (messages(), "anthropic", "/v1/messages"),
        (parse_embeddings(b'{"model":"e","input":"x"}'), "openai", "/embeddings"),
        (
            parse_count_tokens(json.dumps(messages_body()).encode()),
            "anthropic",
            "/v1/messages/count_tokens",
        ),
    ],
)
def test_each_operation_has_its_path(request_: ChatRequest, dialect: Any, path: str) -> None:
    assert prepare(request_, dialect, "target", max_tokens=None).path == path


@pytest.mark.parametrize(
    ("request_", "dialect"),
    [
        (parse_embeddings(b'{"model":"e","input":"x"}'), "anthropic"),
        (parse_count_tokens(json.dumps(messages_body()).encode()), "openai"),
    ],
)
def test_an_operation_the_provider_lacks_is_refused_by_model(request_: ChatRequest, dialect: Any) -> None:
    with pytest.raises(Untranslatable) as refusal:
        prepare(request_, dialect, "target", max_tokens=None)

    assert refusal.value.errors[0].pointer == "/model"


def test_streams_ask_for_usage_and_keep_other_options() -> None:
    options = {"include_obfuscation": False, "include_usage": False}

    assert sent(chat(stream=True), "openai")["stream_options"] == {"include_usage": True}
    assert sent(chat(stream=True, stream_options=options), "openai")["stream_options"] == {
        "include_obfuscation": False,
        "include_usage": True,
    }
    assert "stream_options" not in sent(chat(), "openai")
    assert sent(messages(stream=True), "openai")["stream_options"] == {"include_usage": True}
    assert "stream_options" not in sent(chat(stream=True), "anthropic")


@pytest.mark.parametrize(
    ("fields", "limit", "expected"),
    [
        ({}, None, {}),
        ({}, 50, {"max_completion_tokens": 50}),
        ({"max_tokens": 80}, 50, {"max_tokens": 50}),
        ({"max_tokens": 20}, 50, {"max_tokens": 20}),
        ({"max_tokens": 20}, None, {"max_tokens": 20}),
        ({"max_completion_tokens": 80}, 50, {"max_completion_tokens": 50}),
        (
            {"max_completion_tokens": 80, "max_tokens": 20},
            50,
            {"max_completion_tokens": 50, "max_tokens": 20},
        ),
    ],
)
def test_a_limit_is_imposed_in_the_callers_own_field(
    fields: dict[str, int], limit: int | None, expected: dict[str, int]
) -> None:
    body = sent(chat(**fields), "openai", max_tokens=limit)

    assert {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body} == expected


def test_older_servers_get_the_older_field() -> None:
    assert sent(chat(), "openai", max_tokens=5, max_tokens_field="max_tokens")["max_tokens"] == 5
    assert sent(messages(), "openai", max_tokens_field="max_tokens")["max_tokens"] == 100


def test_anthropic_always_gets_max_tokens() -> None:
    assert sent(chat(), "anthropic")["max_tokens"] == DEFAULT_MAX_TOKENS
    assert sent(chat(), "anthropic", max_tokens=50)["max_tokens"] == 50
    assert sent(chat(max_tokens=20), "anthropic", max_tokens=50)["max_tokens"] == 20
    assert sent(messages(), "anthropic", max_tokens=50)["max_tokens"] == 50
    assert sent(messages(max_tokens=0), "anthropic", max_tokens=50)["max_tokens"] == 0


def test_translated_requests_say_their_api_version() -> None:
    assert prepare(chat(), "anthropic", "t", max_tokens=1).headers == {"anthropic-version": ANTHROPIC_VERSION}
    assert prepare(messages(), "anthropic", "t", max_tokens=1).headers == {}


def test_zero_tokens_cannot_be_asked_of_an_openai_provider() -> None:
    with pytest.raises(Untranslatable) as refusal:
        sent(messages(max_tokens=0), "openai")

    assert refusal.value.errors[0].pointer == "/max_tokens"


def test_reasoning_of_other_providers_is_kept_from_anthropic() -> None:
    unsigned = {"type": "thinking", "thinking": "hm", "signature": "aios-unsigned"}
    signed = {"type": "thinking", "thinking": "hm", "signature": "abc"}
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [unsigned, signed, {"type": "text", "text": "x"}]},
        {"role": "assistant", "content": [unsigned]},
        {"role": "user", "content": "go on"},
    ]

    body = sent(messages(messages=turns), "anthropic")

    assert body["messages"] == [
        turns[0],
        {"role": "assistant", "content": [signed, {"type": "text", "text": "x"}]},
        turns[3],
    ]
