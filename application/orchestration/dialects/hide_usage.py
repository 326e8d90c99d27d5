"""Takes back out of an OpenAI stream what only our own `include_usage` put in."""

from __future__ import annotations

from application.orchestration.dialects.scan import Kind
from application.orchestration.dialects.sse import Frame

_NULL_USAGE = (b',"usage":null', b',"usage": null', b', "usage": null')


def without_usage(frame: Frame, kind: Kind) -> bytes:
    """Return the bytes for a caller who did not ask for usage; empty for the chunk of usage alone.

    `"usage":null` goes from the other chunks too, byte for byte and nothing else: inside a JSON string its
    quotes would be escaped, so only a member can match. A chunk of real content keeps a usage that its
    provider put beside it unasked.
    """
    if kind is Kind.USAGE:
        return b""
    raw = frame.raw
    if b'"usage"' in raw:
        for member in _NULL_USAGE:
            raw = raw.replace(member, b"")
    return raw
