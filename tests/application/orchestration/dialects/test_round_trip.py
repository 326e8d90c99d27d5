"""A conversation that goes to the other dialect and back says the same."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from application.orchestration.dialects.requests import parse_chat, parse_messages
from application.orchestration.dialects.to_anthropic import to_anthropic
from application.orchestration.dialects.to_openai import to_openai
from domain.kernel.errors import InvalidInput
from tests.application.orchestration.dialects.bodies import chat_body, messages_body
from tests.application.orchestration.dialects.test_requests import JSON

TEXT = st.text(min_size=1, max_size=20).filter(lambda value: value.isprintable())
NAME = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
ARGUMENTS = st.dictionaries(NAME, st.text(max_size=5) | st.integers() | st.booleans() | st.none(), max_size=3)


@st.composite
def tool_exchange(draw: st.DrawFn) -> list[dict[str, Any]]:
    calls = draw(st.lists(st.tuples(NAME, ARGUMENTS), min_size=1, max_size=3))
    ids = [f"call_{index}" for index in range(len(calls))]
    asked = {
        "role": "assistant",
        "content": draw(st.none() | TEXT),
        "tool_calls": [
            {
                "id": call_id,
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments, separators=(",", ":"))},
            }
            for call_id, (name, arguments) in zip(ids, calls, strict=True)
        ],
    }
    answers = [{"role": "tool", "tool_call_id": call_id, "content": draw(TEXT)} for call_id in ids]
    return [asked, *answers]


EXCHANGE = st.one_of(
    TEXT.map(lambda text: [{"role": "user", "content": text}]),
    TEXT.map(lambda text: [{"role": "assistant", "content": text}]),
    tool_exchange(),
)


@settings(max_examples=60)
@given(system=st.none() | TEXT, exchanges=st.lists(EXCHANGE, min_size=1, max_size=5))
def test_roles_text_and_tool_calls_survive_the_round_trip(
    system: str | None, exchanges: list[list[dict[str, Any]]]
) -> None:
    conversation = [{"role": "system", "content": system}] if system else []
    conversation += [message for exchange in exchanges for message in exchange]
    there = to_anthropic(parse_chat(json.dumps(chat_body(messages=conversation)).encode()).body)

    back = to_openai(parse_messages(json.dumps({**messages_body(), **there}).encode()).body)

    assert _decoded(back["messages"]) == _decoded(conversation)


@settings(max_examples=60)
@given(
    fields=st.dictionaries(
        st.sampled_from(
            ["tools", "tool_choice", "stop", "user", "metadata", "thinking", "output_config", "x"]
        ),
        JSON,
        max_size=3,
    ),
    content=JSON,
)
def test_whatever_parses_is_translated_or_refused(fields: dict[str, Any], content: Any) -> None:
    for parse, translate, body in (
        (parse_chat, to_anthropic, chat_body(**fields)),
        (parse_messages, to_openai, messages_body(**fields)),
    ):
        body["messages"] = [{"role": "assistant", "content": [{"type": "text", "text": "x", "x": content}]}]
        outcome: object
        try:
            outcome = translate(parse(json.dumps(body).encode()).body)
        except InvalidInput as refusal:
            outcome = refusal.errors
        assert outcome


def _decoded(messages: list[dict[str, Any]]) -> list[Any]:
    """Arguments compared as values, for JSON text may be spaced and escaped differently."""
    plain: list[Any] = json.loads(json.dumps(messages))
    for message in plain:
        for call in message.get("tool_calls") or []:
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return plain
