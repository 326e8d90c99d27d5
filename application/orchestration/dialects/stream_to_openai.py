"""Turns an Anthropic-dialect stream into OpenAI chunks, as the events arrive."""

from __future__ import annotations

import msgspec

from application.orchestration.dialects.errors import stream_error
from application.orchestration.dialects.model import JsonObject, TokenUsage
from application.orchestration.dialects.responses import FINISH_OF_STOP
from application.orchestration.dialects.shape import count, mapping, text
from application.orchestration.dialects.sse import Frame, decode_event
from application.orchestration.dialects.usage import read_usage, write_openai

COMMENT = b": ping\n\n"
DONE = b"data: [DONE]\n\n"


class AnthropicToOpenAI:
    """One stream's translation; feed it every upstream frame, and send what it returns in that order.

    Usage comes as OpenAI's last chunk when the caller asked for it. Reasoning comes as
    `reasoning_content`, and whole signed blocks as `thinking_blocks` for the caller to send back.
    """

    def __init__(self, answer_id: str, request_id: str, *, created: int, with_usage: bool) -> None:
        self._request_id = request_id
        self._with_usage = with_usage
        self._ended = False
        self._head: JsonObject = {
            "id": answer_id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": "",
        }
        self._usage = TokenUsage()
        self._finish: str | None = None
        self._blocks: dict[int, JsonObject] = {}
        self._calls = 0
        self._thinking_blocks = 0

    def feed(self, frame: Frame) -> bytes:
        """Return the caller's bytes for one frame, often none; MalformedAnswer when it makes no sense."""
        data = frame.data
        if self._ended or not data:
            return b"" if self._ended else COMMENT
        event = decode_event(data)
        written = b""
        match event.get("type"):
            case "content_block_delta":
                written = self._block_delta(event)
            case "content_block_start":
                written = self._block_start(event)
            case "content_block_stop":
                written = self._block_stop(event)
            case "message_start":
                written = self._message_start(mapping(event.get("message")))
            case "message_delta":
                written = self._message_delta(event)
            case "message_stop":
                written = self._end()
            case "ping":
                written = COMMENT
            case "error":
                written = self._fail(mapping(event.get("error")))
        return written

    def finish(self) -> bytes:
        """Return the closing of a stream that ended without message_stop; none when it was cut off."""
        return b"" if self._ended or self._finish is None else self._end()

    def _message_start(self, message: JsonObject) -> bytes:
        self._head["model"] = text(message.get("model"))
        self._add_usage(message.get("usage"))
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def _block_start(self, event: JsonObject) -> bytes:
        block = dict(mapping(event.get("content_block")))
        self._blocks[count(event.get("index")) or 0] = block
        if block.get("type") == "tool_use":
            block["call"], block["written"] = self._calls, False
            self._calls += 1
            function = {"name": text(block.get("name")), "arguments": ""}
            call = {
                "index": block["call"],
                "id": text(block.get("id")),
                "type": "function",
                "function": function,
            }
            return self._chunk({"tool_calls": [call]})
        if block.get("type") == "thinking" and text(block.get("thinking")):
            return self._chunk({"reasoning_content": block["thinking"]})
        said = text(block.get("text"))
        return self._chunk({"content": said}) if said else b""

    def _block_delta(self, event: JsonObject) -> bytes:
        delta = mapping(event.get("delta"))
        if said := text(delta.get("text")):
            return self._chunk({"content": said})
        block = self._blocks.get(count(event.get("index")) or 0, {})
        if arguments := text(delta.get("partial_json")):
            block["written"] = True
            return self._arguments(block, arguments)
        if thinking := text(delta.get("thinking")):
            block["thinking"] = text(block.get("thinking")) + thinking
            return self._chunk({"reasoning_content": thinking})
        if signature := text(delta.get("signature")):
            block["signature"] = signature
        return b""

    def _block_stop(self, event: JsonObject) -> bytes:
        block = self._blocks.pop(count(event.get("index")) or 0, {})
        if block.get("type") == "tool_use" and not block["written"]:
            return self._arguments(block, msgspec.json.encode(mapping(block.get("input"))).decode())
        if block.get("type") in ("thinking", "redacted_thinking"):
            self._thinking_blocks += 1
            return self._chunk({"thinking_blocks": [{"index": self._thinking_blocks - 1, **block}]})
        return b""

    def _message_delta(self, event: JsonObject) -> bytes:
        self._add_usage(event.get("usage"))
        reason = text(mapping(event.get("delta")).get("stop_reason"))
        if not reason:
            return b""
        self._finish = FINISH_OF_STOP.get(reason, "stop")
        refusal = text(mapping(mapping(event.get("delta")).get("stop_details")).get("explanation"))
        return self._chunk({"refusal": refusal} if refusal else {}, self._finish)

    def _end(self) -> bytes:
        self._ended = True
        if not self._with_usage:
            return DONE
        return _data({**self._head, "choices": [], "usage": write_openai(self._usage)}) + DONE

    def _arguments(self, block: JsonObject, arguments: str) -> bytes:
        call = {"index": count(block.get("call")) or 0, "function": {"arguments": arguments}}
        return self._chunk({"tool_calls": [call]})

    def _chunk(self, delta: JsonObject, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk = {**self._head, "choices": [choice]}
        return _data({**chunk, "usage": None} if self._with_usage else chunk)

    def _add_usage(self, usage: object) -> None:
        newer = read_usage("anthropic", usage)
        if newer is not None:
            self._usage = self._usage.updated(newer)

    def _fail(self, error: JsonObject) -> bytes:
        self._ended = True
        message = text(error.get("message")) or "The provider's stream failed."
        return stream_error("openai", message=message, request_id=self._request_id)


def _data(body: JsonObject) -> bytes:
    return b"data: " + msgspec.json.encode(body) + b"\n\n"
