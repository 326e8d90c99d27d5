"""Scrubs a text that arrives in pieces: what comes out equals the scrubbed whole, however it was chopped."""

from __future__ import annotations

from typing import Final

from domain.memory.pii.detector import Detector
from domain.memory.pii.folding import fold
from domain.memory.pii.scrubbing import Replaces
from domain.memory.pii.segments import LEFT, LOOKAHEAD, RIGHT, SEGMENT, last_cut, segment_end
from domain.memory.pii.spans import PiiDetectionFailed, Span

LONGEST_HOLD: Final = SEGMENT + RIGHT
"""At most this many characters are held back; in prose it is the last few words."""
_CONTEXT: Final = LEFT + 32


class StreamScrubber:
    """Holds back the tail of a stream as long as personal data may be open in it."""

    def __init__(self, detector: Detector, replacements: Replaces) -> None:
        self._detector = detector
        self._replacements = replacements
        self._raw = ""
        self._folded = ""
        self._segment = 0
        self._done = 0
        self._seen = 0
        self._near = 0
        self._failed = False

    def feed(self, text: str) -> str:
        """Take the next piece and return what is certain by now, scrubbed.

        Raises PiiDetectionFailed, from then on at every call: what was held back is never handed out.
        """
        self._append(text)
        out = []
        while len(self._folded) >= self._segment + SEGMENT + RIGHT:
            self._segment = segment_end(self._folded, self._segment, final=False)
            out.append(self._release(self._segment))
        out.append(self._release(self._safe_cut()))
        self._forget()
        return "".join(out)

    def flush(self) -> str:
        """Return the rest, scrubbed; the stream may then begin anew, its account goes on."""
        self._append("")
        out = []
        while self._segment < len(self._folded):
            self._segment = segment_end(self._folded, self._segment, final=True)
            out.append(self._release(self._segment))
        self._raw = self._folded = ""
        self._segment = self._done = self._seen = self._near = 0
        return "".join(out)

    def _append(self, text: str) -> None:
        if self._failed:
            raise PiiDetectionFailed("an earlier part of the stream failed")
        self._raw += text
        self._folded += fold(text)

    def _safe_cut(self) -> int:
        seen, self._seen = self._seen, max(self._seen, len(self._folded) - LOOKAHEAD)
        found = last_cut(self._folded, seen, self._seen)
        self._near = found if found > seen else self._near
        if self._near <= self._done or not self._detector.worth_a_look(self._folded, self._done, self._near):
            return self._near
        return last_cut(self._folded, self._done, len(self._folded) - RIGHT)

    def _release(self, cut: int) -> str:
        if cut <= self._done:
            return ""
        try:
            spans = self._detector.search(self._folded, self._done, cut)
        except PiiDetectionFailed:
            self._failed = True
            self._raw = self._folded = ""
            raise
        start, self._done = self._done, cut
        moved = [Span(span.start - start, span.end - start, span.type) for span in spans]
        return self._replacements.replace(self._raw[start:cut], moved)

    def _forget(self) -> None:
        old = min(self._segment, self._done - _CONTEXT)
        if old > SEGMENT // 4:
            self._raw, self._folded = self._raw[old:], self._folded[old:]
            self._segment -= old
            self._done -= old
            self._seen -= old
            self._near -= old
