"""Numbers in English words, as people dictate them: `four one five, double five ...`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from domain.memory.pii.digits import Number

SHORTEST: Final = 7
LONGEST: Final = 19
_DIGITS: Final = {
    **{
        word: str(value)
        for value, word in enumerate(
            ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
        )
    },
    **{
        word: str(value)
        for value, word in enumerate(["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen"], 10)
    },
    **{word: str(value) for value, word in enumerate(["sixteen", "seventeen", "eighteen", "nineteen"], 16)},
    "oh": "0",
    "o": "0",
    "nought": "0",
    "niner": "9",
}
_TENS: Final = {
    word: value
    for value, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2
    )
}
_TIMES: Final = {"double": 2, "triple": 3, "treble": 3}
_WORDS: Final = "|".join(sorted({*_DIGITS, *_TENS, *_TIMES, "hundred"}, key=len, reverse=True))
_RUN: Final = re.compile(rf"\b(?:{_WORDS})\b(?>[ ,.-]{{1,3}}(?:{_WORDS})\b){{4,40}}", re.IGNORECASE)
_SIGNS: Final = tuple(
    f" {word}"
    for word in ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero", "oh"]
)
_ENOUGH: Final = 3
_WORD: Final = re.compile(r"[a-z]+", re.IGNORECASE)


def speaks_numbers(text: str, start: int, end: int) -> bool:
    """Tell at little cost whether there are number words enough for a number."""
    words = text[start:end].lower()
    return sum(map(words.count, _SIGNS)) >= _ENOUGH


def spoken_numbers(text: str, start: int, end: int) -> Iterator[Number]:
    """Yield runs of number words in `text[start:end]`, read as digits."""
    for run in _RUN.finditer(text, start, end):
        digits = digits_of([word.lower() for word in _WORD.findall(run[0])])
        if SHORTEST <= len(digits) <= LONGEST:
            sizes = (1,) * len(digits)
            yield Number(run.start(), run.end(), digits, sizes, run[0], 0, 0)


def digits_of(words: list[str]) -> str:
    """Return the digits that words spell: `double five` is 55, `forty two` 42, `eight hundred` 800."""
    digits, times, tens = "", 1, False
    for word in words:
        if word in _TIMES:
            times, tens = _TIMES[word], False
        elif word in _TENS:
            digits, tens = digits + str(_TENS[word]) + "0", True
        elif word == "hundred":
            digits, tens = digits + "00", False
        else:
            digit = _DIGITS[word]
            merged = tens and len(digit) == 1 and digit != "0"
            digits = (digits[:-1] if merged else digits) + digit * times
            times, tens = 1, False
    return digits
