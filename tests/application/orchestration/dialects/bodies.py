"""Builds request bodies and streams for the dialect tests."""

from __future__ import annotations

import json
from typing import Any

from application.orchestration.dialects.model import ChatRequest
from application.orchestration.dialects.requests import parse_chat, parse_messages

WEATHER_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def chat_body(**fields: Any) -> dict[str, Any]:
    return {"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}], **fields}


def messages_body(**fields: Any) -> dict[str, Any]:
    return {
        "model": "claude-x",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hi"}],
        **fields,
    }


def chat(**fields: Any) -> ChatRequest:
    return parse_chat(json.dumps(chat_body(**fields)).encode())


def messages(**fields: Any) -> ChatRequest:
    return parse_messages(json.dumps(messages_body(**fields)).encode())


def openai_stream(*events: Any) -> bytes:
    """Chunks as OpenAI sends them; a dict is a delta or a whole chunk, a string goes as it is."""
    return b"".join(_openai_frame(event) for event in events)


def _openai_frame(event: Any) -> bytes:
    if isinstance(event, str):
        return f"data: {event}\n\n".encode()
    if "choices" not in event and "error" not in event:
        finish = event.pop("finish_reason", None)
        event = {"choices": [{"index": 0, "delta": event, "logprobs": None, "finish_reason": finish}]}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
    return f"data: {json.dumps({**head, **event}, separators=(',', ':'))}\n\n".encode()


def usage_chunk(**usage: Any) -> dict[str, Any]:
    return {"choices": [], "usage": usage}


def anthropic_stream(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def message_start(**usage: Any) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": 1, **usage},
    }
    return {"type": "message_start", "message": message}


def block_start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def block_delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def block_stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def message_delta(stop_reason: str, **usage: Any) -> dict[str, Any]:
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5, **usage}}


MESSAGE_STOP = {"type": "message_stop"}
PING = {"type": "ping"}
