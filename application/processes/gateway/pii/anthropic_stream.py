"""Treats the texts in the events of a message stream.

The input of a tool use is held until its block ends, for only then is it JSON. Reasoning that was changed
loses its signature, for its provider would not know it again.
"""

from __future__ import annotations

from typing import Final

import msgspec

from application.orchestration.dialects.model import UNSIGNED_THINKING, JsonObject
from application.orchestration.dialects.shape import count, mapping, text
from application.orchestration.dialects.sse import Frame, SseReader
from application.processes.gateway.pii.bodies import Bodies
from application.processes.gateway.pii.texts import Channel, Treated

_TEXTS: Final = {"text_delta": "text", "thinking_delta": "thinking"}


class _Block:
    """What is held back of one content block."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.delta = "text_delta"
        self.json = ""


class AnthropicGuard:
    """See the module."""

    def __init__(self, treated: Treated, *, json_text: bool) -> None:
        self._treated = treated
        self._json_text = json_text
        self._bodies = Bodies(treated, answer=True)
        self._reader = SseReader()
        self._blocks: dict[int, _Block] = {}

    def feed(self, chunk: bytes) -> bytes:
        """See `StreamGuard`."""
        return b"".join([self._frame(frame) for frame in self._reader.feed(chunk)])

    def finish(self) -> bytes:
        """See `StreamGuard`."""
        return b"".join([self._flushed(index) for index in list(self._blocks)])

    def _frame(self, frame: Frame) -> bytes:
        data = frame.data
        if not data:
            return frame.raw
        event = mapping(msgspec.json.decode(data))
        index, out = count(event.get("index")) or 0, frame.raw
        match event.get("type"):
            case "content_block_start":
                out = self._start(index, event)
            case "content_block_delta":
                out = self._delta(index, event)
            case "content_block_stop":
                out = self._flushed(index) + frame.raw
            case "message_start":
                out = _event({**event, "message": self._bodies.treated(mapping(event.get("message")))})
            case "message_stop":
                out = self.finish() + frame.raw
        return out

    def _start(self, index: int, event: JsonObject) -> bytes:
        block = mapping(event.get("content_block"))
        kind = text(block.get("type"))
        held = self._blocks[index] = _Block(
            self._treated.channel(json_text=self._json_text and kind == "text")
        )
        if kind in ("text", "thinking"):
            return _event(
                {**event, "content_block": {**block, kind: held.channel.feed(text(block.get(kind)))}}
            )
        return _event({**event, "content_block": self._bodies.piece(block)})

    def _delta(self, index: int, event: JsonObject) -> bytes:
        held, delta = self._held(index), mapping(event.get("delta"))
        kind = text(delta.get("type"))
        if kind in _TEXTS:
            held.delta = kind
            out = held.channel.feed(text(delta.get(_TEXTS[kind])))
            return _delta(index, {"type": kind, _TEXTS[kind]: out}) if out else b""
        if kind == "input_json_delta":
            held.json += text(delta.get("partial_json"))
            return b""
        if kind == "signature_delta":
            rest = self._rest(index, held)
            signature = UNSIGNED_THINKING if held.channel.changed else delta.get("signature")
            return rest + _event({**event, "delta": {**delta, "signature": signature}})
        return _event({**event, "delta": self._bodies.piece(delta)})

    def _held(self, index: int) -> _Block:
        if index not in self._blocks:
            self._blocks[index] = _Block(self._treated.channel(json_text=self._json_text))
        return self._blocks[index]

    def _rest(self, index: int, held: _Block) -> bytes:
        rest = held.channel.flush()
        return _delta(index, {"type": held.delta, _TEXTS[held.delta]: rest}) if rest else b""

    def _flushed(self, index: int) -> bytes:
        held = self._blocks.pop(index, None)
        if held is None:
            return b""
        out = self._rest(index, held)
        if held.json:
            whole = self._bodies.arguments(held.json)
            out += _delta(index, {"type": "input_json_delta", "partial_json": whole})
        return out


def _delta(index: int, delta: JsonObject) -> bytes:
    return _event({"type": "content_block_delta", "index": index, "delta": delta})


def _event(event: JsonObject) -> bytes:
    return b"event: " + text(event.get("type")).encode() + b"\ndata: " + msgspec.json.encode(event) + b"\n\n"
