"""Chat messages said as Messages turns: system texts, attachments, tool calls and their answers."""

from __future__ import annotations

from typing import Any

from application.orchestration.dialects.to_anthropic import to_anthropic
from tests.application.orchestration.dialects.bodies import chat


def translated(**fields: Any) -> dict[str, Any]:
    return to_anthropic(chat(**fields).body)


def turns(*given: dict[str, Any]) -> list[dict[str, Any]]:
    return list(to_anthropic(chat(messages=list(given)).body)["messages"])


def call(name: str, arguments: str, call_id: str = "call_1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_plain_message_stays_plain() -> None:
    assert translated() == {"messages": [{"role": "user", "content": "hi"}]}


def test_system_and_developer_messages_become_the_system_prompt_in_order() -> None:
    body = translated(
        messages=[
            {"role": "system", "content": "one"},
            {"role": "developer", "content": [{"type": "text", "text": "two"}]},
            {"role": "user", "content": "hi"},
            {"role": "system", "content": "three"},
        ]
    )

    assert [block["text"] for block in body["system"]] == ["one", "two", "three"]
    assert [turn["role"] for turn in body["messages"]] == ["user"]


def test_one_system_text_stays_a_string() -> None:
    body = translated(messages=[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}])

    assert body["system"] == "s"


def test_parts_become_blocks() -> None:
    [turn] = turns(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": ""},
                {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,QUJD", "detail": "auto"}},
                {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
                {
                    "type": "file",
                    "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"},
                },
            ],
        }
    )

    pdf = {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}
    assert turn["content"] == [
        {"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "QUJD"}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "document", "source": pdf, "title": "a.pdf"},
    ]


def test_tool_calls_and_answers_become_blocks_of_two_turns() -> None:
    given: list[dict[str, Any]] = [
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [call("weather", '{"city": "Rome"}'), call("time", "", "functions.time:0")],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "functions.time:0", "content": [{"type": "text", "text": "noon"}]},
        {"role": "user", "content": "thanks"},
    ]

    _, asked, answered, thanked = turns(*given)

    first, second = asked["content"]
    assert first == {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Rome"}}
    assert second["input"] == {}
    assert second["id"].replace("_", "").isalnum()
    assert [block["tool_use_id"] for block in answered["content"]] == ["call_1", second["id"]]
    assert answered["content"][0]["content"] == "sunny"
    assert thanked == {"role": "user", "content": "thanks"}


def test_ids_that_clean_to_the_same_text_stay_distinct() -> None:
    [turn] = turns(
        {
            "role": "assistant",
            "tool_calls": [call("f", "{}", "a.b"), call("f", "{}", "a:b"), call("f", "{}", "a_b")],
        }
    )

    assert len({block["id"] for block in turn["content"]}) == 3


def test_an_answer_sent_back_as_the_sdk_dumps_it_is_accepted() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "sig", "index": 0}
    foreign = {"type": "thinking", "thinking": "hm", "signature": "aios-unsigned"}
    [turn] = turns(
        {
            "role": "assistant",
            "content": "x",
            "refusal": None,
            "annotations": [],
            "audio": None,
            "function_call": None,
            "tool_calls": None,
            "reasoning_content": "hm",
            "thinking_blocks": [thinking, foreign],
        }
    )

    assert turn["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "x"},
    ]


def test_a_refusal_is_what_the_assistant_said() -> None:
    [turn] = turns({"role": "assistant", "content": None, "refusal": "no"})

    assert turn["content"] == [{"type": "text", "text": "no"}]
