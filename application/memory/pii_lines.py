"""The detector as a filter for JSON lines: for pipelines, and for measuring it beside other detectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from domain.kernel.errors import InvalidInput
from domain.memory.pii.detector import Detector
from domain.memory.pii.spans import Span


class Line(msgspec.Struct):
    """One text to search; other fields of the line are left alone."""

    id: str | int
    text: str


class Answer(msgspec.Struct):
    """Where personal data stands in the text of that id, in code points."""

    id: str | int
    spans: list[Span]


def detect_jsonl(detector: Detector, lines: Iterable[bytes]) -> Iterator[bytes]:
    """Answer each line `{id, text}` by a line `{id, spans: [{start, end, type}]}`, in order, as it is read.

    Blank lines are passed over. Raises InvalidInput that names the first unusable line; those before it
    have been answered.
    """
    decoder = msgspec.json.Decoder(Line)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            asked = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            cure = "expected one JSON object with the fields id (string or number) and text (string)"
            raise InvalidInput(f"line {number}: {error}; {cure}") from None
        yield msgspec.json.encode(Answer(asked.id, detector.detect(asked.text))) + b"\n"
