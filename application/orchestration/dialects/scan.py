"""Follows a provider's stream frame by frame: when content starts, what was used, how it ended."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from application.orchestration.dialects.measure import tokens_of_text
from application.orchestration.dialects.model import Dialect, JsonObject, TokenUsage
from application.orchestration.dialects.shape import content_text, mapping, sequence, text
from application.orchestration.dialects.sse import Frame
from application.orchestration.dialects.usage import read_usage

_DECODE = msgspec.json.Decoder().decode


class Kind(StrEnum):
    """What a frame means to the pipeline; a frame that is several things is the first of them here."""

    ERROR = "error"  # the provider gave up, in the stream
    TERMINAL = "terminal"  # the closing message: [DONE], message_stop
    CONTENT = "content"  # text, refusal, reasoning or tool-call output; never an empty string
    FINISH = "finish"  # tells why generation ended
    USAGE = "usage"  # usage alone, as OpenAI's last chunk with `choices: []`
    PREAMBLE = "preamble"  # announces the answer before its content
    OTHER = "other"  # comments, pings, block ends, what is unknown


class StreamScanner:
    """Keeps what one stream has told so far; reads, never changes a frame."""

    def __init__(self, dialect: Dialect, *, collect_text: bool = False) -> None:
        self._dialect: Dialect = dialect
        self._collected: list[str] | None = [] if collect_text else None
        self._ascii_chars = 0
        self._other_chars = 0
        self.output_bytes = 0
        self.usage: TokenUsage | None = None
        self.finish_reason: str | None = None
        self.content_seen = False
        self.terminated = False
        self.error: JsonObject | None = None

    def scan(self, frame: Frame) -> Kind:
        """Take one frame in and say what it is; a frame that does not decode is OTHER."""
        data = frame.data
        if not data:
            return Kind.OTHER
        if data.startswith(b"[DONE]"):
            self.terminated = True
            return Kind.TERMINAL
        try:
            event = _DECODE(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Kind.OTHER
        if not isinstance(event, dict):
            return Kind.OTHER
        kind = self._scan_openai(event) if self._dialect == "openai" else self._scan_anthropic(event)
        if kind is Kind.OTHER and frame.event == "error":
            kind = self._fail(event)
        if kind is Kind.CONTENT:
            self.content_seen = True
        return kind

    @property
    def collected_text(self) -> str:
        """The text of the answer so far; empty unless collecting was asked for."""
        return "".join(self._collected or ())

    @property
    def estimated_output_tokens(self) -> int:
        """Likely output tokens so far, for a stream that ended before it told."""
        return tokens_of_text(self._ascii_chars, self._other_chars)

    def _scan_openai(self, event: JsonObject) -> Kind:
        if event.get("error"):
            return self._fail(event)
        usage = event.get("usage")
        if usage is not None:
            self._add_usage(usage)
        choices = event.get("choices")
        if not choices:
            return Kind.OTHER if usage is None else Kind.USAGE
        kind = Kind.OTHER
        for choice in map(mapping, sequence(choices)):
            delta = mapping(choice.get("delta"))
            if self._openai_content(delta):
                kind = Kind.CONTENT
            finish = choice.get("finish_reason")
            if finish:
                self.finish_reason = text(finish)
                kind = Kind.CONTENT if kind is Kind.CONTENT else Kind.FINISH
            elif kind is Kind.OTHER and "role" in delta:
                kind = Kind.PREAMBLE
        return kind

    def _openai_content(self, delta: JsonObject) -> bool:
        said = content_text(delta.get("content"))
        if said:
            self._add_output(said, is_text=True)
            return True
        found = False
        for field in ("refusal", "reasoning_content", "reasoning"):
            if hidden := text(delta.get(field)):
                self._add_output(hidden, is_text=False)
                found = True
                break
        for call in sequence(delta.get("tool_calls")):
            self._add_call(mapping(call).get("function"))
            found = True
        return found or bool(delta.get("content") or delta.get("function_call") or delta.get("audio"))

    def _add_call(self, function: object) -> None:
        members = mapping(function)
        for field in ("name", "arguments"):
            if written := text(members.get(field)):
                self._add_output(written, is_text=False)

    def _scan_anthropic(self, event: JsonObject) -> Kind:
        kind = Kind.OTHER
        match event.get("type"):
            case "content_block_delta":
                kind = self._block_delta(event)
            case "content_block_start":
                kind = self._block_start(event)
            case "message_start":
                kind = self._message_start(event)
            case "message_delta":
                kind = self._message_delta(event)
            case "message_stop":
                self.terminated = True
                kind = Kind.TERMINAL
            case "error":
                kind = self._fail(event)
        return kind

    def _block_delta(self, event: JsonObject) -> Kind:
        delta = mapping(event.get("delta"))
        if said := text(delta.get("text")):
            self._add_output(said, is_text=True)
            return Kind.CONTENT
        hidden = text(delta.get("partial_json")) or text(delta.get("thinking"))
        if hidden:
            self._add_output(hidden, is_text=False)
            return Kind.CONTENT
        return Kind.CONTENT if "citation" in delta else Kind.OTHER

    def _block_start(self, event: JsonObject) -> Kind:
        block = mapping(event.get("content_block"))
        if block.get("type") in ("text", "thinking"):
            said, hidden = text(block.get("text")), text(block.get("thinking"))
            if said or hidden:
                self._add_output(said or hidden, is_text=bool(said))
                return Kind.CONTENT
            return Kind.OTHER
        if name := text(block.get("name")):
            self._add_output(name, is_text=False)
        return Kind.CONTENT

    def _message_start(self, event: JsonObject) -> Kind:
        self._add_usage(mapping(event.get("message")).get("usage"))
        return Kind.PREAMBLE

    def _message_delta(self, event: JsonObject) -> Kind:
        self._add_usage(event.get("usage"))
        reason = text(mapping(event.get("delta")).get("stop_reason"))
        if reason:
            self.finish_reason = reason
        return Kind.FINISH

    def _fail(self, event: JsonObject) -> Kind:
        error = event.get("error")
        self.error = (
            error if isinstance(error, dict) else {"message": text(error) or text(event.get("message"))}
        )
        return Kind.ERROR

    def _add_usage(self, usage: object) -> None:
        newer = read_usage(self._dialect, usage)
        if newer is not None:
            self.usage = newer if self.usage is None else self.usage.updated(newer)

    def _add_output(self, piece: str, *, is_text: bool) -> None:
        if piece.isascii():
            self._ascii_chars += len(piece)
            self.output_bytes += len(piece)
        else:
            self._other_chars += len(piece)
            self.output_bytes += len(piece.encode(errors="replace"))
        if is_text and self._collected is not None:
            self._collected.append(piece)
