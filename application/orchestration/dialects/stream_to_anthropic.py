"""Turns an OpenAI-dialect stream into Anthropic events, as the chunks arrive."""

from __future__ import annotations

from typing import Any

import msgspec

from application.orchestration.dialects.errors import stream_error
from application.orchestration.dialects.model import (
    UNSIGNED_THINKING,
    JsonObject,
    MalformedAnswer,
    TokenUsage,
)
from application.orchestration.dialects.responses import stop_reason, tool_use_id
from application.orchestration.dialects.shape import content_text, count, mapping, sequence, text
from application.orchestration.dialects.sse import Frame, decode_event
from application.orchestration.dialects.usage import read_usage, write_anthropic

PING = b'event: ping\ndata: {"type":"ping"}\n\n'


class OpenAIToAnthropic:
    """One stream's translation; feed it every upstream frame, and send what it returns in that order.

    Blocks open and close one after another, as Anthropic's do. The closing messages come with the
    upstream's [DONE], for its usage stands after its last content.
    """

    def __init__(self, answer_id: str, request_id: str, *, with_thinking: bool) -> None:
        self._answer_id = answer_id
        self._request_id = request_id
        self._with_thinking = with_thinking
        self._started = False
        self._ended = False
        self._index = -1
        self._open: str | None = None
        self._calls: dict[int, str] = {}
        self._finish: str | None = None
        self._refused = False
        self._usage = TokenUsage()

    def feed(self, frame: Frame) -> bytes:
        """Return the caller's bytes for one frame, often none; MalformedAnswer when it makes no sense."""
        data = frame.data
        if self._ended or not data:
            return PING if self._started and not self._ended else b""
        if data.startswith(b"[DONE]"):
            return b"".join([*self._start({}), *self._end()])
        chunk = decode_event(data)
        if chunk.get("error"):
            return self._fail(chunk["error"])
        usage = read_usage("openai", chunk.get("usage"))
        if usage is not None:
            self._usage = self._usage.updated(usage)
        events = self._start(chunk)
        for choice in map(mapping, sequence(chunk.get("choices"))):
            events += self._delta(mapping(choice.get("delta")))
            self._finish = text(choice.get("finish_reason")) or self._finish
        return b"".join(events)

    def finish(self) -> bytes:
        """Return the closing messages of a stream that ended without [DONE]; none when it was cut off."""
        return b"" if self._ended or self._finish is None else b"".join(self._end())

    def _start(self, chunk: JsonObject) -> list[bytes]:
        if self._started:
            return []
        self._started = True
        message: JsonObject = {
            "id": self._answer_id,
            "type": "message",
            "role": "assistant",
            "model": text(chunk.get("model")),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_anthropic(TokenUsage()),
        }
        return [_event("message_start", message=message), PING]

    def _end(self) -> list[bytes]:
        self._ended = True
        reason = stop_reason(self._finish, called_tools=bool(self._calls), refused=self._refused)
        delta = {"stop_reason": reason, "stop_sequence": None}
        return [
            *self._close(),
            _event("message_delta", delta=delta, usage=write_anthropic(self._usage)),
            _event("message_stop"),
        ]

    def _delta(self, delta: JsonObject) -> list[bytes]:
        events: list[bytes] = []
        reasoning = text(delta.get("reasoning_content")) or text(delta.get("reasoning"))
        if reasoning and self._with_thinking:
            events += self._enter("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            events.append(self._block_delta(type="thinking_delta", thinking=reasoning))
        refusal = text(delta.get("refusal"))
        self._refused = self._refused or bool(refusal)
        for said in (content_text(delta.get("content")), refusal):
            if said:
                events += self._enter("text", {"type": "text", "text": ""})
                events.append(self._block_delta(type="text_delta", text=said))
        for call in map(mapping, sequence(delta.get("tool_calls"))):
            events += self._call(call)
        return events

    def _call(self, call: JsonObject) -> list[bytes]:
        index = count(call.get("index")) or 0
        call_id, function = text(call.get("id")), mapping(call.get("function"))
        name = text(function.get("name"))
        events: list[bytes] = []
        if index not in self._calls or (name and call_id not in ("", self._calls[index])):
            if not name:
                raise MalformedAnswer(f"tool call {index} of the provider's stream starts without a name")
            self._calls[index] = call_id = call_id or tool_use_id(self._answer_id, self._index + 1)
            opening = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
            events += self._enter(f"call {call_id}", opening)
        elif self._open != f"call {self._calls[index]}":
            raise MalformedAnswer(f"tool call {index} of the provider's stream goes on after another began")
        arguments = text(function.get("arguments"))
        if arguments:
            events.append(self._block_delta(type="input_json_delta", partial_json=arguments))
        return events

    def _enter(self, block: str, opening: JsonObject) -> list[bytes]:
        if self._open == block:
            return []
        events = self._close()
        self._index += 1
        self._open = block
        events.append(_event("content_block_start", index=self._index, content_block=opening))
        return events

    def _close(self) -> list[bytes]:
        if self._open is None:
            return []
        events = [_event("content_block_stop", index=self._index)]
        if self._open == "thinking":
            events.insert(0, self._block_delta(type="signature_delta", signature=UNSIGNED_THINKING))
        self._open = None
        return events

    def _block_delta(self, **delta: str) -> bytes:
        return _event("content_block_delta", index=self._index, delta=delta)

    def _fail(self, error: object) -> bytes:
        self._ended = True
        message = text(mapping(error).get("message")) or text(error) or "The provider's stream failed."
        return stream_error("anthropic", message=message, request_id=self._request_id)


def _event(kind: str, **members: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **members}))
