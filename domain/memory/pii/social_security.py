"""US social security numbers and taxpayer numbers by the ranges that are issued, then form and context."""

from __future__ import annotations

from typing import Final

from domain.kernel.pii import PiiType
from domain.memory.pii.digits import Number
from domain.memory.pii.label_words import Kind
from domain.memory.pii.labels import Label

LENGTH: Final = 9
_FORM: Final = (3, 2, 4)
_TAXPAYER_GROUPS: Final = frozenset({*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)})


def number_type(digits: str) -> PiiType | None:
    """Tell an SSN (area not 000, 666, 9xx; no part all zero) from an ITIN (9xx, IRS groups) from neither."""
    if len(digits) != LENGTH or digits[3:5] == "00" or digits[5:] == "0000" or len(set(digits)) == 1:
        return None
    area = digits[:3]
    if area[0] == "9":
        return PiiType.ITIN if int(digits[3:5]) in _TAXPAYER_GROUPS else None
    return None if area in {"000", "666"} else PiiType.SSN


def is_number_here(number: Number, label: Label | None) -> bool:
    """Decide about a number in an issued range: 3-2-4 with dashes needs no label, other forms do."""
    if label is not None and label.kind is Kind.SSN and (label.direct or label.same_line):
        return number.sizes in {_FORM, (LENGTH,), (3, 3, 3), (3, 6), (5, 4), (1,) * LENGTH}
    if number.sizes != _FORM or (label is not None and label.kind is Kind.OTHER and label.direct):
        return False
    if number.text.count("-") == 2:
        return True
    spaced = number.text.count(" ") == 2 or "-" in number.text
    return spaced and (label is None or label.kind not in {Kind.PHONE, Kind.OTHER, Kind.ACCOUNT})
