"""Finds numbers as people write them: groups of digits with separators, without what only looks like them.

A run of digits falls apart into *stretches*: identifiers, paths, versions, dates, decimals and parts of words
are taken out, what is left may be read as card, social security or phone numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Final

import msgspec

from domain.memory.pii.folding import FILLER
from domain.memory.pii.label_words import Kind, kind_of
from domain.memory.pii.labels import label_before

_SEPARATORS: Final = rf"[ .\-/()_~{FILLER}]"
_RUN: Final = re.compile(rf"[0-9](?<![0-9][0-9])(?>{_SEPARATORS}{{0,4}}[0-9]){{5,}}+")
_GROUP: Final = re.compile(r"[0-9]+")
_CLOCK: Final = re.compile(r"[0-9]:[0-9]{2}(?![0-9])")
_WORD_LEFT: Final = re.compile(r"[^\W\d_]{1,16}$")
_WORD_RIGHT: Final = re.compile(r"[^\W\d_]{1,16}")
_LAST_GLUING_LETTER: Final = "\u0900"
_YEAR = r"(?:19|20)[0-9]{2}"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_DAY = r"(?:0?[1-9]|[12][0-9]|3[01])"
_NOT_A_NUMBER: Final = re.compile(
    rf"""
      {_YEAR}(?P<a>[-./]){_MONTH}(?P=a){_DAY}
    | (?:{_MONTH}(?P<b>[-./]){_DAY}|{_DAY}(?P<c>[-./]){_MONTH})(?:(?P=b)|(?P=c))(?:{_YEAR}|[0-9]{{2}})
    | {_YEAR}[-/](?:{_YEAR}|{_MONTH})
    | (?P<dotted>
        [0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}
      | (?!0[1-9][0-9]{{1,3}}\.[0-9]{{6,8}}(?![0-9])) [0-9]+\.[0-9]+
      | (?!0[1-9][0-9]) [0-9]{{1,4}}\.[0-9]{{1,3}}\.[0-9]{{1,3}}
      )
    | [0-9]{{8}}(?:-[0-9]{{4}}){{3}}-[0-9]{{12}}
    | 97[89]-(?:[0-9]+-){{3}}[0-9]
    """,
    re.VERBOSE,
)
_DOTTED_PHONE: Final = re.compile(
    r"[0-9]{3,5}\.[0-9]{4,7}|[0-9]{2}(?:\.[0-9]{2}){3}|[0-9]{2,4}(?:\.[0-9]{2,3}){2}"
)
LONGEST_GROUP: Final = 19
MOST_ATOMS: Final = 8


class Number(msgspec.Struct, frozen=True):
    """One way to read neighbouring digit groups as a number."""

    start: int
    end: int
    digits: str
    sizes: tuple[int, ...]
    text: str
    first: int
    last: int


class Stretch(msgspec.Struct, frozen=True):
    """Digit groups in a row, each `(start, end)`; `breaks[i]` tells whether a number may begin at group i.

    No number begins before `floor`. `digits` are those of all groups, group i's begin at `offsets[i]`.
    """

    floor: int
    groups: list[tuple[int, int]]
    breaks: list[bool]
    sizes: tuple[int, ...]
    offsets: list[int]
    digits: str

    @classmethod
    def of(cls, text: str, floor: int, groups: list[tuple[int, int]], breaks: list[bool]) -> Stretch:
        """Build a stretch from its groups."""
        sizes = tuple(end - start for start, end in groups)
        digits = "".join([text[start:end] for start, end in groups])
        return cls(floor, groups, breaks, sizes, [0, *accumulate(sizes)], digits)

    def is_whole(self, text: str, first: int, last: int) -> bool:
        """Tell whether no parenthesis that opens between two groups stays open."""
        piece = text[self.groups[first][1] : self.groups[last][1]]
        return "(" not in piece or piece.rfind("(") < piece.rfind(")")

    def part(self, text: str, first: int, after: int) -> Stretch:
        """Return the groups `[first, after)` alone."""
        return Stretch.of(text, self.floor, self.groups[first:after], self.breaks[first:after])


def stretches(text: str, start: int, end: int) -> Iterator[Stretch]:
    """Yield the stretches of `text[start:end]`; reads the characters around it only as context."""
    for run in _RUN.finditer(text, start, end):
        groups = [match.span() for match in _GROUP.finditer(text, run.start(), run.end())]
        floor = run.start()
        while floor > max(start, run.start() - 2) and text[floor - 1] in "+(":
            floor -= 1
        yield from _split(text, floor, groups)


def numbers_from(text: str, stretch: Stretch, first: int, low: int, high: int) -> Iterator[Number]:
    """Yield the readings that begin at a group and have `low` to `high` digits, the longest first."""
    count, atoms, ends = 0, 0, []
    for index in range(first, len(stretch.groups)):
        count += stretch.sizes[index]
        if count > high:
            break
        last = index + 1 == len(stretch.groups)
        if last or stretch.breaks[index + 1]:
            atoms += 1
            if count >= low and stretch.is_whole(text, first, index):
                ends.append(index)
            if atoms == MOST_ATOMS:
                break
    for index in reversed(ends):
        yield _number(text, stretch, first, index)


def spelled_out(text: str, stretch: Stretch) -> Number | None:
    """Return a stretch of single digits or pairs, as people dictate a number, read as one number."""
    dictated = len(stretch.groups) > MOST_ATOMS and len(stretch.digits) <= LONGEST_GROUP
    if not dictated or max(stretch.sizes) > 2:
        return None
    return _number(text, stretch, 0, len(stretch.groups) - 1)


def _number(text: str, stretch: Stretch, first: int, last: int) -> Number:
    start, end = stretch.groups[first][0], stretch.groups[last][1]
    while start > stretch.floor and text[start - 1] in "+(":
        start -= 1
    piece = text[start:end]
    if piece[0] == "(" and ")" not in piece:
        start, piece = start + 1, piece[1:]
    digits = stretch.digits[stretch.offsets[first] : stretch.offsets[last + 1]]
    return Number(start, end, digits, stretch.sizes[first : last + 1], piece, first, last)


def _split(text: str, run_start: int, groups: list[tuple[int, int]]) -> Iterator[Stretch]:
    clusters = _clusters(text, groups)
    kept: list[tuple[int, int]] = []
    breaks: list[bool] = []
    for position, cluster in enumerate(clusters):
        glued = (position == 0 and _glued_left(text, run_start)) or (
            position == len(clusters) - 1 and _glued_right(text, cluster[-1])
        )
        if glued or _is_something_else(text, cluster):
            if kept:
                yield Stretch.of(text, run_start, kept, breaks)
            kept, breaks = [], []
            continue
        for index, group in enumerate(cluster):
            kept.append(group)
            breaks.append(index == 0 or "/" in text[cluster[index - 1][1] : group[0]])
    if kept:
        yield Stretch.of(text, run_start, kept, breaks)


def _clusters(text: str, groups: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    clusters = [[groups[0]]]
    for before, group in pairwise(groups):
        if " " in text[before[1] : group[0]]:
            clusters.append([group])
        else:
            clusters[-1].append(group)
    return clusters


def _is_something_else(text: str, cluster: list[tuple[int, int]]) -> bool:
    if any(end - start > LONGEST_GROUP for start, end in cluster):
        return True
    start, end = cluster[0][0], cluster[-1][1]
    found = _NOT_A_NUMBER.fullmatch(text, start, end) if end - start <= 40 else None
    if found is None:
        return False
    return found["dotted"] is None or not _is_dotted_phone(text, start, end)


def _is_dotted_phone(text: str, start: int, end: int) -> bool:
    """Tell a number with dots from a decimal, a version or an address: by a plus or by its label."""
    if text.endswith("+", 0, start):
        return not text[: start - 1][-1:].isalnum()
    if _DOTTED_PHONE.fullmatch(text, start, end) is None:
        return False
    label = label_before(text, start)
    return label is not None and label.direct and label.kind in {Kind.PHONE, Kind.CARD, Kind.SSN}


def _glued_left(text: str, start: int) -> bool:
    if start == 0:
        return False
    joint = text[start - 1]
    if joint in "nrt" and start > 1 and text[start - 2] == "\\":
        return False
    if joint in "@%&^_" or (joint == ":" and _CLOCK.match(text, start - 2) is not None):
        return True
    if joint in "-./" and start > 1:
        before = text[start - 2]
        return (joint == "." and before == " ") or (_gluing(before) and not _labelled_left(text, start - 1))
    return joint == "." or (_gluing(joint) and not _labelled_left(text, start))


def _glued_right(text: str, last: tuple[int, int]) -> bool:
    end = last[1]
    joint, after = text[end : end + 1], text[end + 1 : end + 2]
    if not joint:
        return False
    if joint == ":":
        return after.isdigit() and end - last[0] <= 2
    if joint in "-_/=+.":
        if joint == "." and not after.islower():
            return False
        return bool(after) and _gluing(after) and not _labelled_right(text, end + 1)
    return joint in "_@" or (_gluing(joint) and not _labelled_right(text, end))


def _gluing(character: str) -> bool:
    return character.isalnum() and character < _LAST_GLUING_LETTER


def _labelled_left(text: str, end: int) -> bool:
    word = _WORD_LEFT.search(text, max(0, end - 16), end)
    if word is None or text[max(0, word.start() - 1) : word.start()] in {"-", "/"}:
        return False
    return kind_of(word[0].lower(), "") in {Kind.PHONE, Kind.CARD, Kind.SSN}


def _labelled_right(text: str, start: int) -> bool:
    word = _WORD_RIGHT.match(text, start, start + 16)
    if word is None:
        return False
    return word[0].lower() in {"x", "ext", "office", "home", "work", "extension"} or (
        kind_of(word[0].lower(), "") is Kind.PHONE
    )
