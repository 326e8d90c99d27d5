"""The OpenAI dialect of the fake provider: chat completions, embeddings, models, errors."""

import base64
import json
import struct
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

CREATED = 1_700_000_000
ERROR_TYPES = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}
CONTEXT_LENGTH = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
)


def reply(asked: Asked, behaviour: Behaviour, models: list[str]) -> tuple[int, Reply]:
    """Status and content for one request."""
    if behaviour.status >= 300:
        return behaviour.status, Reply(error(behaviour))
    if asked.path == "/v1/models":
        return 200, Reply({"object": "list", "data": [_model(name) for name in models]})
    if asked.path == "/v1/embeddings":
        return 200, Reply(_embeddings(asked))
    if asked.path != "/v1/chat/completions":
        return 404, Reply({"error": {"message": f"no route {asked.path}", "type": "invalid_request_error"}})
    return 200, _stream(asked, behaviour) if asked.stream else Reply(_completion(asked, behaviour))


def error(behaviour: Behaviour) -> dict[str, Any]:
    """The dialect's error body for a status."""
    if behaviour.error == "context_length":
        fields = {"type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}
        return {"error": {"message": CONTEXT_LENGTH, **fields}}
    fallback = "server_error" if behaviour.status >= 500 else "invalid_request_error"
    kind, code = ERROR_TYPES.get(behaviour.status, (fallback, None))
    message = behaviour.message or f"fake provider error {behaviour.status}"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "fake"}


def _usage(asked: Asked, behaviour: Behaviour, completion: int) -> dict[str, Any] | None:
    if behaviour.usage == "none":
        return None
    prompt = prompt_tokens(asked.body)
    if behaviour.usage == "zero":
        prompt = completion = 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": min(behaviour.cached_tokens, prompt), "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _tool(asked: Asked) -> tuple[str, str] | None:
    """Name and arguments of the tool call, unless the tool has answered already or none is wanted."""
    tools = asked.body.get("tools") or []
    roles = [message.get("role") for message in asked.body.get("messages", [])]
    if not tools or asked.body.get("tool_choice") == "none" or (roles and roles[-1] == "tool"):
        return None
    function = tools[0].get("function", {})
    arguments = instance_of(function.get("parameters") or {"type": "object"})
    return str(function.get("name", "tool")), json.dumps(arguments)


def _text(asked: Asked, behaviour: Behaviour) -> str:
    wanted = asked.body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return json.dumps(instance_of(wanted["json_schema"].get("schema", {})))
    return '{"answer": "text"}' if wanted.get("type") == "json_object" else behaviour.text


def _completion(asked: Asked, behaviour: Behaviour) -> dict[str, Any]:
    words = words_of(behaviour, asked, _text(asked, behaviour))
    message: dict[str, Any] = {"role": "assistant", "content": "".join(words.chunks), "refusal": None}
    finish, tokens = "length" if words.cut_short else "stop", len(words.chunks)
    if (tool := _tool(asked)) is not None:
        function = {"name": tool[0], "arguments": tool[1]}
        message["content"] = None
        message["tool_calls"] = [{"id": "call_fake1", "type": "function", "function": function}]
        finish, tokens = "tool_calls", len(pieces(tool[1]))
    count = asked.body.get("n") or 1
    choices = [
        {"index": i, "message": message, "logprobs": None, "finish_reason": finish} for i in range(count)
    ]
    body = {**_head(asked, "chat.completion"), "choices": choices}
    usage = _usage(asked, behaviour, tokens * count)
    return body if usage is None else {**body, "usage": usage}


def _head(asked: Asked, kind: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-fake",
        "object": kind,
        "created": CREATED,
        "model": asked.model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }


def _stream(asked: Asked, behaviour: Behaviour) -> Reply:
    """Role chunk, content chunks, finish chunk, usage chunk when it was asked for, `[DONE]`."""
    wanted = bool((asked.body.get("stream_options") or {}).get("include_usage"))
    head = _head(asked, "chat.completion.chunk") | ({"usage": None} if wanted else {})

    def event(choices: list[dict[str, Any]], *, content: bool = False, **more: Any) -> Event:
        return Event(b"data: " + encode({**head, "choices": choices, **more}) + b"\n\n", content)

    def delta(value: dict[str, Any], *, content: bool = True) -> Event:
        choice = {"index": 0, "delta": value, "logprobs": None, "finish_reason": None}
        return event([choice], content=content)

    deltas, finish = _deltas(asked, behaviour)
    usage = _usage(asked, behaviour, len(deltas))
    last = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}
    together = usage is not None and behaviour.usage == "with_choices"
    closing = [event([last], usage=usage) if together else event([last])]
    if usage is not None and not together and (wanted or behaviour.usage == "always"):
        closing.append(event([], usage=usage))
    return Reply(
        events=(
            delta({"role": "assistant", "content": "", "refusal": None}, content=False),
            *map(delta, deltas),
        ),
        closing=(*closing, Event(b"data: [DONE]\n\n")),
        error_event=b"data: " + encode(error(Behaviour(status=500))) + b"\n\n",
    )


def _deltas(asked: Asked, behaviour: Behaviour) -> tuple[list[dict[str, Any]], str]:
    if (tool := _tool(asked)) is not None:
        first = {
            "index": 0,
            "id": "call_fake1",
            "type": "function",
            "function": {"name": tool[0], "arguments": ""},
        }
        parts = [{"index": 0, "function": {"arguments": part}} for part in pieces(tool[1])]
        return [{"tool_calls": [call]} for call in (first, *parts)], "tool_calls"
    words = words_of(behaviour, asked, _text(asked, behaviour))
    return [{"content": chunk} for chunk in words.chunks], "length" if words.cut_short else "stop"


def _embeddings(asked: Asked) -> dict[str, Any]:
    given = asked.body.get("input", "")
    inputs = (
        given if isinstance(given, list) and not all(isinstance(item, int) for item in given) else [given]
    )
    size = asked.body.get("dimensions") or 8
    data = []
    for index, item in enumerate(inputs):
        seed = sum(encode(item))
        vector = [((seed * (at + 3)) % 97) / 97 for at in range(size)]
        packed = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        embedding = packed if asked.body.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    tokens = prompt_tokens(asked.body)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": asked.model, "usage": usage}
