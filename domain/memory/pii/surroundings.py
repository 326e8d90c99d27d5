"""Where a number stands: in a sentence, behind a name, alone on its line, joined to a word."""

from __future__ import annotations

import re
from typing import Final

from domain.memory.pii.segments import RIGHT

_NAME: Final = re.compile(r"[A-Z][a-z]+[ ,:;(\t-]{1,3}$")
_WORD: Final = re.compile(r"(?:^|[\s\"'(])[^\W\d_]{2,24}[,:]?\s$")
_BEFORE_AN_OBJECT: Final = re.compile(
    r"(?:^|[\s\"'(])(?:is|was|use|try|on|at|to|via|with|from|down|thanks|and|or|then|instead|got|have|it's|="
    r"|hi|hello|hey|please|pls|under|dial|ring|es|al|est|au|ist|unter|on:|at:|is:|to:)\s$",
    re.IGNORECASE,
)
_GOES_ON: Final = re.compile(r"[.!?;,]?(?:$|[\r\n]|\s[^\W\d_]{2,24}(?=$|[\s.,;:!?']))|[.!?](?:$|\s)")
_LINE_BEFORE: Final = re.compile(r"(?:^|[\r\n])[ \t]{0,4}(?:[-*][ \t])?$")
_LINE_AFTER: Final = re.compile(r"[ \t]{0,4}(?:$|[\r\n])")
_JOINT: Final = re.compile(r"\S[:\-_./]$|[\"']\s?:\s?\\?[\"']?$|\w=$")


def after_a_name(text: str, start: int) -> bool:
    """Tell whether a word in title case stands right before `start`."""
    return _NAME.search(text, max(0, start - RIGHT), start) is not None


def in_a_sentence(text: str, start: int, end: int) -> bool:
    """Tell whether plain words, or the end of a sentence, stand on both sides."""
    return (
        _WORD.search(text, max(0, start - RIGHT - 2), start) is not None
        and _GOES_ON.match(text, end, end + RIGHT) is not None
    )


def stands_for_an_object(text: str, start: int, end: int) -> bool:
    """Tell whether the sentence uses the number as a thing, not as the number of something before it."""
    return (
        _BEFORE_AN_OBJECT.search(text, max(0, start - RIGHT), start) is not None
        and _GOES_ON.match(text, end, end + RIGHT) is not None
    )


def alone_on_its_line(text: str, start: int, end: int) -> bool:
    """Tell whether nothing else stands on the line, but for the sign of a list."""
    return (
        _LINE_AFTER.match(text, end, end + 6) is not None
        and _LINE_BEFORE.search(text, max(0, start - 8), start) is not None
    )


def joined_to_a_word(text: str, start: int) -> bool:
    """Tell whether the number is a part of a longer identifier, or has a name of its own, as in `a:1234`."""
    return _JOINT.search(text, max(0, start - 6), start) is not None
