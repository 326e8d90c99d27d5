"""US social security numbers and taxpayer numbers by the ranges that are issued, then form and context."""

from __future__ import annotations

import re
from typing import Final

from domain.kernel.pii import PiiType
from domain.memory.pii.digits import Number
from domain.memory.pii.label_words import Kind
from domain.memory.pii.labels import Label, label_before
from domain.memory.pii.segments import LEFT, RIGHT

LENGTH: Final = 9
_FORM: Final = (3, 2, 4)
_LABELLED_FORMS: Final = frozenset({_FORM, (LENGTH,), (3, 3, 3), (3, 6), (5, 4), (1,) * LENGTH})
_LABEL_BEHIND: Final = re.compile(
    r"\s?[(,-]?\s?(?:is\s(?:my|his|her|the|your)\s)?(?:ssn|itin|social\ssecurity)\b", re.IGNORECASE
)
_TAXPAYER: Final = re.compile(
    r"""\b(?:itin|tax(?:payer)?\s(?:id|identification)(?:\snumber)?)
        [\s:\#=.("'-]{0,3}(?:(?:number|no|is|was)\b[\s:\#=.("'-]{0,3}){0,2}$""",
    re.VERBOSE | re.IGNORECASE,
)
_TAXPAYER_GROUPS: Final = frozenset({*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)})


def type_here(text: str, number: Number) -> PiiType | None:
    """Return what a number of nine digits is where it stands, None when it is neither.

    What a label calls an ITIN is one, also in a group that the IRS does not issue: those are in examples.
    """
    kind = number_type(number.digits)
    if kind is None:
        labelled = (
            len(number.digits) == LENGTH and number.digits[0] == "9" and number.sizes in _LABELLED_FORMS
        )
        return PiiType.ITIN if labelled and _says_taxpayer(text, number.start, number.end) else None
    return kind if is_number_here(text, number, label_before(text, number.start)) else None


def is_announced(text: str, start: int, end: int) -> bool:
    """Tell whether a label beside an ITIN says that it is a taxpayer's or a social security number."""
    label = label_before(text, start)
    if label is not None and label.kind is Kind.SSN and (label.direct or label.same_line):
        return True
    return _says_taxpayer(text, start, end)


def _says_taxpayer(text: str, start: int, end: int) -> bool:
    return (
        _TAXPAYER.search(text, max(0, start - LEFT), start) is not None
        or _LABEL_BEHIND.match(text, end, end + RIGHT) is not None
    )


def number_type(digits: str) -> PiiType | None:
    """Tell an SSN (area not 000, 666, 9xx; no part all zero) from an ITIN (9xx, IRS groups) from neither."""
    if len(digits) != LENGTH or digits[3:5] == "00" or digits[5:] == "0000" or len(set(digits)) == 1:
        return None
    area = digits[:3]
    if area[0] == "9":
        return PiiType.ITIN if int(digits[3:5]) in _TAXPAYER_GROUPS else None
    return None if area in {"000", "666"} else PiiType.SSN


def is_number_here(text: str, number: Number, label: Label | None) -> bool:
    """Decide about a number in an issued range: 3-2-4 with dashes needs no label, other forms do."""
    if number.text.startswith("+"):
        return False
    before = label is not None and label.kind is Kind.SSN and (label.direct or label.same_line)
    if before or _LABEL_BEHIND.match(text, number.end, number.end + RIGHT):
        return number.sizes in _LABELLED_FORMS
    if number.sizes != _FORM or (label is not None and label.kind is Kind.OTHER and label.direct):
        return False
    if number.text.count("-") == 2:
        return True
    spaced = number.text.count(" ") == 2 or "-" in number.text
    return spaced and (label is None or label.kind not in {Kind.PHONE, Kind.OTHER, Kind.ACCOUNT})
