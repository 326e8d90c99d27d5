"""Where a text may be cut without cutting through personal data, whatever follows.

A natural cut is a place that no candidate crosses: after a line end or a delimiter, or between two plain
words. Dense texts without natural cuts get forced ones, at places that depend on the text alone. Both follow
from the characters up to `LOOKAHEAD` behind the cut, so a stream finds the same cuts as a whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

LEFT: Final = 64
"""Characters before a candidate that may decide about it."""
RIGHT: Final = 24
"""Characters behind a candidate that may decide about it."""
LOOKAHEAD: Final = 8
"""Characters behind a cut that may decide whether it is one."""
SEGMENT: Final = 2048
"""The longest stretch that is searched as one."""

UPPER: Final = r"(?-i:[A-Z\u00c0-\u00d6\u00d8-\u00de\u0391-\u03a9\u0410-\u042f])"
"""An upper-case letter, which may be a name's; also in patterns that ignore case."""
PARTICLE: Final = r"(?:de|da|do|dos|del|della|di|van|von|der|den|ter|ten|bin|ibn|al|el|la|le|du|af|zu|y)"
"""A small word inside a name."""
_LETTER = r"[^\W\d_]"
_NUMBER_WORD = (
    r"(?:(?:zero|nought|oh?|one|two|three|four|five|six|seven|eight|nine|niner|ten|eleven|twelve|twenty|thirty"
    r"|forty|fifty|sixty|eighty|ninety|double|triple|treble)\b"
    r"|thirte|fourte|fiftee|sixtee|sevent|eighte|ninete|hundre)"
)
_SPOKEN = rf"(?:(?:at|dot|dash|hyphen|{PARTICLE})\b|unders|{_NUMBER_WORD})"
CUT: Final = re.compile(
    rf"""
      (?<=[\n\r\t"{{}}|<>,\u3002\u3001]) (?!(?<=,)\s{_NUMBER_WORD}) (?!(?<=")@)
    | (?:(?<={_LETTER}{{3}})(?<!\bdot)(?<!\bdash)(?<!\bhyphen)(?<!\bunderscore) | (?<={_LETTER}{{3}}[.:!?]))
      (?=\s (?!{_SPOKEN}|{UPPER}) (?:{_LETTER}{{4}} | {_LETTER}{{1,3}}(?!\w)))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CALM = re.compile(r"(?<=[^0-9@]{4})(?=[^0-9@]{4})")


def crosses_cut(text: str, start: int, end: int) -> bool:
    """Tell whether a natural cut lies strictly inside `[start, end)`."""
    cut = CUT.search(text, start + 1, end + LOOKAHEAD)
    return cut is not None and cut.start() < end


def segments(text: str) -> Iterator[tuple[int, int]]:
    """Cut a folded text into stretches of at most `SEGMENT` characters, at natural cuts where possible."""
    start = 0
    while start < len(text):
        end = segment_end(text, start, final=True)
        yield start, end
        start = end


def segment_end(text: str, start: int, *, final: bool) -> int:
    """Return where the segment that begins at `start` ends; -1 when more text is needed to tell."""
    limit = start + SEGMENT
    if len(text) <= limit and final:
        return len(text)
    if len(text) < limit + LOOKAHEAD and not final:
        return -1
    cut = CUT.search(text, start + SEGMENT // 2, limit + LOOKAHEAD)
    if cut is not None and cut.start() <= limit:
        return cut.start()
    return _forced(text, start + SEGMENT // 2, limit)


def _forced(text: str, first: int, limit: int) -> int:
    calm = limit
    for match in _CALM.finditer(text, first, limit + 4):
        calm = match.start()
    return calm


def last_cut(text: str, start: int, end: int) -> int:
    """Return the last natural cut in `(start, end]`, or `start`; reads `LOOKAHEAD` characters behind."""
    width = 32
    while True:
        low = max(start + 1, end - width)
        found = start
        for match in CUT.finditer(text, low, end + LOOKAHEAD):
            if match.start() > end:
                break
            found = match.start()
        if found > start or low == start + 1:
            return found
        width *= 4
