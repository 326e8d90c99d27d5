"""Cuts a stream of bytes into server-sent events without changing a byte.

Events end with an empty line; a line ends with LF, CRLF or CR (WHATWG HTML, section 9.2).
"""

from __future__ import annotations

import re

import msgspec

from application.orchestration.dialects.model import JsonObject, MalformedAnswer

MAX_FRAME_BYTES = 8 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")


class FrameTooLarge(ValueError):
    """An event grew beyond the limit without ending."""


class Frame(msgspec.Struct, frozen=True):
    """One event: `raw` is exactly what was received, with the empty line that ends it."""

    raw: bytes

    @property
    def data(self) -> bytes:
        """The event's data, lines joined by LF; empty for comments and bare event names."""
        raw = self.raw
        if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
            return raw[6:-2]
        return b"\n".join(_values(raw, b"data"))

    @property
    def event(self) -> str:
        """The event's name; empty when it has none."""
        if b"event" not in self.raw:
            return ""
        names = _values(self.raw, b"event")
        return names[-1].decode(errors="replace") if names else ""

    @property
    def is_comment(self) -> bool:
        """Whether it carries nothing, as the comments that keep connections open."""
        return not self.data and not self.event


class SseReader:
    """Collects chunks that are split anywhere and gives back whole events."""

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._limit = max_frame_bytes
        self._pending = b""
        self._searched = 0

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the events that end in this chunk; FrameTooLarge when the pending one exceeds the limit.

        An event that seems to end with CR is held until the next byte, which may be the LF of its CRLF.
        """
        buffer = self._pending + chunk if self._pending else chunk
        frames: list[Frame] = []
        start, search = 0, self._searched
        only_lf = b"\r" not in buffer
        while (end := _end_of_frame(buffer, search, only_lf=only_lf)) >= 0:
            frames.append(self._frame(buffer[start:end]))
            start = search = end
        self._pending = buffer[start:]
        self._searched = max(0, len(self._pending) - 3)
        if len(self._pending) > self._limit:
            raise FrameTooLarge(f"an event of more than {self._limit} bytes")
        return frames

    def finish(self) -> Frame | None:
        """Return what the stream ended in the middle of, None when it ended between events."""
        rest, self._pending = self._pending, b""
        return Frame(rest) if rest.strip() else None

    def _frame(self, raw: bytes) -> Frame:
        if len(raw) > self._limit:
            raise FrameTooLarge(f"an event of more than {self._limit} bytes")
        return Frame(raw)


def decode_event(data: bytes) -> JsonObject:
    """Return the JSON object that an event's data holds; MalformedAnswer when it holds none."""
    try:
        event = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedAnswer(f"an event of the provider's stream is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise MalformedAnswer("an event of the provider's stream is not a JSON object")
    return event


def _end_of_frame(buffer: bytes, search: int, *, only_lf: bool) -> int:
    if only_lf:
        found = buffer.find(b"\n\n", search)
        return found + 2 if found >= 0 else -1
    match = _END.search(buffer, search)
    if match is None or (match.end() == len(buffer) and buffer.endswith(b"\r")):
        return -1
    return match.end()


def _values(raw: bytes, field: bytes) -> list[bytes]:
    values = []
    for line in raw.removeprefix(_BOM).splitlines():
        name, _, value = line.partition(b":")
        if name == field:
            values.append(value.removeprefix(b" "))
    return values
