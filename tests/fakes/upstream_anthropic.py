"""The Anthropic dialect of the fake provider: messages, count_tokens, models, errors."""

import json
from typing import Any

from tests.fakes.upstream_behaviour import Behaviour
from tests.fakes.upstream_dialects import (
    Asked,
    Event,
    Reply,
    encode,
    instance_of,
    pieces,
    prompt_tokens,
    words_of,
)

ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
CONTEXT_LENGTH = "prompt is too long: 212345 tokens > 200000 maximum"


def reply(asked: Asked, behaviour: Behaviour, models: list[str]) -> tuple[int, Reply]:
    """Status and content for one request."""
    if behaviour.status >= 300:
        return behaviour.status, Reply(error(behaviour))
    if asked.path == "/v1/models":
        data = [_model(name) for name in models]
        ends = (
            {"first_id": models[0], "last_id": models[-1]} if models else {"first_id": None, "last_id": None}
        )
        return 200, Reply({"data": data, "has_more": False, **ends})
    if asked.path == "/v1/messages/count_tokens":
        return 200, Reply({"input_tokens": prompt_tokens(asked.body)})
    if asked.path != "/v1/messages":
        return 404, Reply(error(Behaviour(status=404, message=f"no route {asked.path}")))
    return 200, _stream(asked, behaviour) if asked.stream else Reply(_message(asked, behaviour))


def error(behaviour: Behaviour) -> dict[str, Any]:
    """The dialect's error body for a status."""
    message = behaviour.message or f"fake provider error {behaviour.status}"
    kind = ERROR_TYPES.get(
        behaviour.status, "api_error" if behaviour.status >= 500 else "invalid_request_error"
    )
    if behaviour.error == "context_length":
        message = CONTEXT_LENGTH
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake"}


def _model(name: str) -> dict[str, Any]:
    times = {"created_at": "2026-01-01T00:00:00Z", "lifecycle": "active"}
    return {"type": "model", "id": name, "display_name": name, **times}


def _usage(asked: Asked, behaviour: Behaviour, output: int) -> dict[str, Any] | None:
    """Here cached tokens are apart from `input_tokens`; in the OpenAI dialect they are part of it."""
    if behaviour.usage == "none":
        return None
    prompt = prompt_tokens(asked.body)
    cached = min(behaviour.cached_tokens, prompt)
    if behaviour.usage == "zero":
        prompt = cached = output = 0
    return {
        "input_tokens": prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": output,
        "service_tier": "standard",
    }


def _tool(asked: Asked) -> tuple[str, dict[str, Any]] | None:
    """Name and input of the tool use, unless the tool has answered already or none is wanted."""
    tools = asked.body.get("tools") or []
    messages = asked.body.get("messages") or [{}]
    content = messages[-1].get("content")
    answered = isinstance(content, list) and any(part.get("type") == "tool_result" for part in content)
    if not tools or answered or (asked.body.get("tool_choice") or {}).get("type") == "none":
        return None
    value = instance_of(tools[0].get("input_schema") or {"type": "object"})
    return str(tools[0].get("name", "tool")), value


def _text(asked: Asked, behaviour: Behaviour) -> str:
    wanted = (asked.body.get("output_config") or {}).get("format") or asked.body.get("output_format") or {}
    return json.dumps(instance_of(wanted["schema"])) if "schema" in wanted else behaviour.text


def _head(asked: Asked, content: list[Any], stop: str | None, usage: dict[str, Any] | None) -> dict[str, Any]:
    head: dict[str, Any] = {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
    }
    return head if usage is None else {**head, "usage": usage}


def _message(asked: Asked, behaviour: Behaviour) -> dict[str, Any]:
    block: dict[str, Any]
    if (tool := _tool(asked)) is not None:
        block = {"type": "tool_use", "id": "toolu_fake1", "name": tool[0], "input": tool[1]}
        stop, tokens = "tool_use", len(pieces(json.dumps(tool[1])))
    else:
        words = words_of(behaviour, asked, _text(asked, behaviour))
        block = {"type": "text", "text": "".join(words.chunks)}
        stop, tokens = "max_tokens" if words.cut_short else "end_turn", len(words.chunks)
    return _head(asked, [block], stop, _usage(asked, behaviour, tokens))


def _event(kind: str, *, content: bool = False, **more: Any) -> Event:
    return Event(b"event: %s\ndata: %s\n\n" % (kind.encode(), encode({"type": kind, **more})), content)


def _stream(asked: Asked, behaviour: Behaviour) -> Reply:
    """message_start, one block with a ping inside, message_delta with the usage, message_stop."""
    start, deltas, stop = _block(asked, behaviour)
    usage = _usage(asked, behaviour, len(deltas))
    opening = _head(asked, [], None, usage and {**usage, "output_tokens": min(1, usage["output_tokens"])})
    final = {"stop_reason": stop, "stop_sequence": None}
    totals: dict[str, Any] = {} if usage is None else {"usage": {"output_tokens": usage["output_tokens"]}}
    return Reply(
        events=(
            _event("message_start", message=opening),
            _event("content_block_start", index=0, content_block=start),
            _event("ping"),
            *(_event("content_block_delta", content=True, index=0, delta=delta) for delta in deltas),
        ),
        closing=(
            _event("content_block_stop", index=0),
            _event("message_delta", delta=final, **totals),
            _event("message_stop"),
        ),
        error_event=_event("error", error=error(Behaviour(status=529))["error"]).data,
    )


def _block(asked: Asked, behaviour: Behaviour) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    if (tool := _tool(asked)) is not None:
        start = {"type": "tool_use", "id": "toolu_fake1", "name": tool[0], "input": {}}
        parts = pieces(json.dumps(tool[1]))
        return start, [{"type": "input_json_delta", "partial_json": part} for part in parts], "tool_use"
    words = words_of(behaviour, asked, _text(asked, behaviour))
    deltas = [{"type": "text_delta", "text": chunk} for chunk in words.chunks]
    return {"type": "text", "text": ""}, deltas, "max_tokens" if words.cut_short else "end_turn"
