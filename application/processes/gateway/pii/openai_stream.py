"""Treats the texts in the chunks of a chat completion stream.

The arguments of tool calls are held until they are whole, for only then are they JSON; a client can do
nothing with a part of them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from application.orchestration.dialects.model import JsonObject
from application.orchestration.dialects.shape import count, mapping, sequence, text
from application.orchestration.dialects.sse import Frame, SseReader
from application.processes.gateway.pii.bodies import Bodies
from application.processes.gateway.pii.texts import Treated

_FIELDS: Final = ("content", "refusal", "reasoning_content", "reasoning")


class _Choice:
    """What is held back of one choice."""

    def __init__(self, treated: Treated, *, json_text: bool) -> None:
        self.texts = {field: treated.channel(json_text=json_text and field == "content") for field in _FIELDS}
        self.calls: dict[int, str] = {}
        self.function: str | None = None


class OpenAIGuard:
    """See the module."""

    def __init__(self, treated: Treated, *, json_text: bool) -> None:
        self._treated = treated
        self._json_text = json_text
        self._bodies = Bodies(treated, answer=True)
        self._reader = SseReader()
        self._choices: dict[int, _Choice] = {}
        self._like: JsonObject = {}

    def feed(self, chunk: bytes) -> bytes:
        """See `StreamGuard`."""
        return b"".join([self._frame(frame) for frame in self._reader.feed(chunk)])

    def finish(self) -> bytes:
        """See `StreamGuard`."""
        return b"".join([self._flushed(index) for index in list(self._choices)])

    def _frame(self, frame: Frame) -> bytes:
        data = frame.data
        if not data or data.startswith(b"[DONE]"):
            return (self.finish() if data else b"") + frame.raw
        event = mapping(msgspec.json.decode(data))
        choices = sequence(event.get("choices"))
        if not choices:
            return frame.raw
        self._like = {name: value for name, value in event.items() if name not in ("choices", "usage")}
        before, kept = b"", []
        for choice in map(mapping, choices):
            flushed, treated = self._choice(choice)
            before += flushed
            kept += [treated] if treated is not None else []
        if not kept and "usage" not in event:
            return before
        return before + _chunk({**event, "choices": kept})

    def _choice(self, choice: JsonObject) -> tuple[bytes, JsonObject | None]:
        """Return chunks that come first, and the choice as it may leave, None when nothing is left of it."""
        index = count(choice.get("index")) or 0
        held = self._choices.get(index)
        if held is None:
            held = self._choices[index] = _Choice(self._treated, json_text=self._json_text)
        delta = self._delta(held, mapping(choice.get("delta")))
        finished = bool(choice.get("finish_reason"))
        before = b""
        if finished:
            if delta:
                before = self._written(index, delta)
                delta = {}
            before += self._flushed(index)
        if not (delta or finished):
            return before, None
        treated = {**choice, "delta": delta}
        return before, treated | {"logprobs": None} if "logprobs" in choice else treated

    def _delta(self, held: _Choice, delta: JsonObject) -> JsonObject:
        kept: JsonObject = {}
        for name, value in delta.items():
            if name in _FIELDS and isinstance(value, str):
                out = held.texts[name].feed(value)
                if out or not value:
                    kept[name] = out
            elif name == "tool_calls":
                calls = [self._call(held, mapping(call)) for call in sequence(value)]
                if opened := [call for call in calls if call is not None]:
                    kept[name] = opened
            elif name == "function_call":
                kept |= self._function(held, mapping(value))
            else:
                kept[name] = self._bodies.piece(value) if name != "role" else value
        if "tool_calls" in kept or "function_call" in kept:
            said = kept.get("content") or ""
            if rest := said + held.texts["content"].flush():
                kept["content"] = rest
        return kept

    def _call(self, held: _Choice, call: JsonObject) -> JsonObject | None:
        index, function = count(call.get("index")) or 0, mapping(call.get("function"))
        held.calls[index] = held.calls.get(index, "") + text(function.get("arguments"))
        if "id" not in call and not function.get("name"):
            return None
        return {**call, "function": {**function, "arguments": ""}}

    def _function(self, held: _Choice, function: JsonObject) -> JsonObject:
        held.function = (held.function or "") + text(function.get("arguments"))
        return {"function_call": {**function, "arguments": ""}} if function.get("name") else {}

    def _flushed(self, index: int) -> bytes:
        held = self._choices.pop(index)
        delta: dict[str, Any] = {
            field: rest for field, channel in held.texts.items() if (rest := channel.flush())
        }
        if calls := [
            {"index": call, "function": {"arguments": self._bodies.arguments(arguments)}}
            for call, arguments in held.calls.items()
            if arguments
        ]:
            delta["tool_calls"] = calls
        if held.function:
            delta["function_call"] = {"arguments": self._bodies.arguments(held.function)}
        return self._written(index, delta) if delta else b""

    def _written(self, index: int, delta: JsonObject) -> bytes:
        return _chunk({**self._like, "choices": [{"index": index, "delta": delta, "finish_reason": None}]})


def _chunk(event: JsonObject) -> bytes:
    return b"data: " + msgspec.json.encode(event) + b"\n\n"
