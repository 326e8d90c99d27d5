"""Reads whole answers of either dialect and translates them into the caller's."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from application.orchestration.dialects.model import (
    UNSIGNED_THINKING,
    ChatRequest,
    Dialect,
    JsonObject,
    MalformedAnswer,
    TokenUsage,
)
from application.orchestration.dialects.shape import content_text, mapping, sequence, shown, text
from application.orchestration.dialects.usage import usage_of, write_anthropic, write_openai

FINISH_OF_STOP: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
STOP_OF_FINISH: Mapping[str, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def decode_answer(raw: bytes) -> JsonObject:
    """Return the JSON object of a provider's answer; MalformedAnswer when it is none."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedAnswer(f"the provider's answer is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise MalformedAnswer(f"the provider's answer is not a JSON object but {shown(body)}")
    return body


def translate_answer(
    request: ChatRequest, upstream: Dialect, body: JsonObject, *, answer_id: str, created: int
) -> JsonObject:
    """Return the answer in the caller's dialect, the same object when it is the provider's too.

    `answer_id` and `created` (Unix seconds) become the id and date of a translated answer. Raises
    MalformedAnswer when the provider's answer lacks what the caller's dialect needs.
    """
    if upstream == request.dialect:
        return body
    if upstream == "anthropic":
        return _to_openai(body, answer_id, created)
    return _to_anthropic(body, answer_id, with_thinking=request.wants_thinking)


def text_of(dialect: Dialect, body: JsonObject) -> str:
    """Return the text of an answer, of all its choices or blocks; empty when it holds none."""
    if dialect == "anthropic":
        return content_text(body.get("content"))
    messages = (mapping(mapping(choice).get("message")) for choice in sequence(body.get("choices")))
    return "".join(content_text(message.get("content")) for message in messages)


def finish_reason_of(dialect: Dialect, body: JsonObject) -> str | None:
    """Return why the answer ended, in the provider's own word."""
    if dialect == "anthropic":
        return text(body.get("stop_reason")) or None
    choices = sequence(body.get("choices"))
    return text(mapping(choices[0]).get("finish_reason")) or None if choices else None


def stop_reason(finish_reason: object, *, called_tools: bool, refused: bool = False) -> str:
    """Return the Anthropic stop reason; servers that say `stop` after tool calls mean tool use."""
    if refused:
        return "refusal"
    if called_tools and finish_reason in (None, "stop"):
        return "tool_use"
    return STOP_OF_FINISH.get(text(finish_reason), "end_turn")


def _to_openai(body: JsonObject, answer_id: str, created: int) -> JsonObject:
    blocks = body.get("content")
    if not isinstance(blocks, list):
        raise MalformedAnswer("the provider's message has no content array")
    reason = text(body.get("stop_reason"))
    choice = {
        "index": 0,
        "message": _openai_message(blocks, mapping(body.get("stop_details")).get("explanation")),
        "logprobs": None,
        "finish_reason": FINISH_OF_STOP.get(reason, "stop"),
    }
    return {
        "id": answer_id,
        "object": "chat.completion",
        "created": created,
        "model": text(body.get("model")),
        "choices": [choice],
        "usage": write_openai(usage_of("anthropic", body) or TokenUsage()),
    }


def _openai_message(blocks: list[JsonObject], refusal: object) -> JsonObject:
    said = [text(block.get("text")) for block in map(mapping, blocks) if block.get("type") == "text"]
    calls = [_openai_call(block) for block in map(mapping, blocks) if block.get("type") == "tool_use"]
    thinking = [
        block for block in map(mapping, blocks) if block.get("type") in ("thinking", "redacted_thinking")
    ]
    content = "".join(said)
    message: JsonObject = {
        "role": "assistant",
        "content": content if content or not calls else None,
        "refusal": text(refusal) or None,
    }
    if calls:
        message["tool_calls"] = calls
    if thinking:
        message["reasoning_content"] = "".join(text(block.get("thinking")) for block in thinking)
        message["thinking_blocks"] = thinking
    return message


def _openai_call(block: JsonObject) -> JsonObject:
    arguments = msgspec.json.encode(mapping(block.get("input"))).decode()
    function = {"name": text(block.get("name")), "arguments": arguments}
    return {"id": text(block.get("id")), "type": "function", "function": function}


def _to_anthropic(body: JsonObject, answer_id: str, *, with_thinking: bool) -> JsonObject:
    choices = sequence(body.get("choices"))
    if not choices or not isinstance(mapping(choices[0]).get("message"), dict):
        raise MalformedAnswer("the provider's completion has no choices[0].message")
    message = choices[0]["message"]
    cut = choices[0].get("finish_reason") == "length"
    content = _anthropic_blocks(message, answer_id, with_thinking=with_thinking, cut=cut)
    return {
        "id": answer_id,
        "type": "message",
        "role": "assistant",
        "model": text(body.get("model")),
        "content": content,
        "stop_reason": stop_reason(
            choices[0].get("finish_reason"),
            called_tools=bool(message.get("tool_calls")),
            refused=bool(message.get("refusal")),
        ),
        "stop_sequence": None,
        "usage": write_anthropic(usage_of("openai", body) or TokenUsage()),
    }


def _anthropic_blocks(
    message: JsonObject, answer_id: str, *, with_thinking: bool, cut: bool
) -> list[JsonObject]:
    blocks: list[JsonObject] = []
    reasoning = text(message.get("reasoning_content")) or text(message.get("reasoning"))
    if reasoning and with_thinking:
        blocks.append({"type": "thinking", "thinking": reasoning, "signature": UNSIGNED_THINKING})
    said = (content_text(message.get("content")), text(message.get("refusal")))
    blocks += [{"type": "text", "text": piece} for piece in said if piece]
    for index, call in enumerate(sequence(message.get("tool_calls"))):
        blocks.append(_anthropic_tool_use(mapping(call), index, answer_id, cut=cut))
    return blocks


def _anthropic_tool_use(call: JsonObject, index: int, answer_id: str, *, cut: bool) -> JsonObject:
    function = mapping(call.get("function"))
    return {
        "type": "tool_use",
        "id": text(call.get("id")) or tool_use_id(answer_id, index),
        "name": text(function.get("name")),
        "input": _tool_input(text(function.get("arguments")), index, cut=cut),
    }


def tool_use_id(answer_id: str, index: int) -> str:
    """Return an id for a tool call whose provider gave it none."""
    return f"toolu_{answer_id}_{index}"


def _tool_input(arguments: str, index: int, *, cut: bool) -> JsonObject:
    """Decode a call's arguments; those of an answer cut at max_tokens may be incomplete, hence empty."""
    try:
        decoded = json.loads(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        if cut:
            return {}
        raise MalformedAnswer(f"the arguments of tool call {index} are not a JSON object: {shown(arguments)}")
    return decoded
