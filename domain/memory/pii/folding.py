"""Reads the many ways of writing a digit, dash, space or at-sign as one, without moving a single offset."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

FILLER: Final = "\u200b"
"""What invisible characters are read as; patterns allow it between the characters of a number or address."""

_LAST_DECIMAL = 0x1FC00


def _table() -> dict[str, str]:
    table = {
        chr(code): str(unicodedata.decimal(chr(code)))
        for code in range(0x80, _LAST_DECIMAL)
        if chr(code).isdecimal()
    }
    table |= {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    table |= dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\ufe58\ufe63\uff0d", "-")
    table |= dict.fromkeys("\u00a0\u1680\u202f\u205f\u3000", " ")
    table |= {chr(code): " " for code in range(0x2000, 0x200B)}
    table |= dict.fromkeys("\u00ad\u180e\u034f\u20e3\ufe0e\ufe0f\ufeff", FILLER)
    table |= {chr(code): FILLER for code in (*range(0x200B, 0x2010), *range(0x202A, 0x202F))}
    table |= {chr(code): FILLER for code in range(0x2060, 0x2070)}
    return table | {"\ufe6b": "@", "\u2024": ".", "\u2044": "/", "\u2215": "/", "\u00b7": ".", "\u2022": "."}


_FOLDED: Final = _table()
_OTHER_THAN_ASCII: Final = re.compile(r"[^\x00-\x7f]+")


def fold(text: str) -> str:
    """Return the text with digits, dashes, spaces and full-width letters in ASCII; its length is the same."""
    if text.isascii():
        return text
    for character in set("".join(_OTHER_THAN_ASCII.findall(text))):
        if character in _FOLDED:
            text = text.replace(character, _FOLDED[character])
    return text
