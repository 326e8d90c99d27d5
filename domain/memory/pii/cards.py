"""Payment card numbers: issuer prefix, length and Luhn check digit, then grouping and context."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from domain.memory.pii.digits import Number
from domain.memory.pii.label_words import Kind
from domain.memory.pii.labels import Label
from domain.memory.pii.segments import RIGHT
from domain.memory.pii.surroundings import in_a_sentence

SHORTEST: Final = 12
LONGEST: Final = 19
_ISSUERS: Final = (
    # (first prefix, last prefix, lengths): ISO/IEC 7812 ranges as the networks publish them
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("4", "4", (13, 16, 19)),
    ("6011", "6011", (16, 17, 18, 19)),
    ("644", "649", (16, 17, 18, 19)),
    ("65", "65", (16, 17, 18, 19)),
    ("3528", "3589", (16, 17, 18, 19)),
    ("300", "305", (14, 16)),
    ("3095", "3095", (14, 16)),
    ("36", "36", (14, 16, 19)),
    ("38", "39", (14, 16)),
    ("62", "62", (16, 17, 18, 19)),
    ("81", "82", (16,)),
    ("60", "60", (16,)),
    ("2200", "2204", (16, 17, 18, 19)),
    ("9792", "9792", (16,)),
    ("1800", "1800", (15,)),
    ("2131", "2131", (15,)),
    ("50", "50", tuple(range(12, 20))),
    ("56", "58", tuple(range(12, 20))),
    ("6", "6", tuple(range(12, 20))),
)
_USUAL_LENGTHS: Final = frozenset({14, 15, 16})
_PRINTED: Final = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 3), (4, 4, 4, 2)})
_MAESTRO: Final = frozenset({"50", "56", "57", "58", "61", "63", "66", "67", "68", "69"})
_USUAL_MAESTRO: Final = frozenset(
    {"5018", "5020", "5038", "5893", "6304", "6390", "6759", "6761", "6762", "6763"}
)
_EXPIRY: Final = re.compile(
    r"[\s,;|(]{1,2}(?:exp\b|expir|valid\s(?:thru|until|to)|cvv|cvc|good\sthru|(?:0[1-9]|1[0-2])/[0-9]{2}\b)",
    re.IGNORECASE,
)
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")


def luhn(digits: str) -> bool:
    """Verify the check digit of ISO/IEC 7812-1 annex B."""
    return (sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))) % 10 == 0


@cache
def issued_lengths(prefix: str) -> frozenset[int]:
    """Return the lengths in use behind the first four digits."""
    return frozenset(
        length
        for first, last, lengths in _ISSUERS
        if first <= prefix[: len(first)] <= last
        for length in lengths
    )


def has_issuer(digits: str) -> bool:
    """Tell whether a card network issues numbers of this prefix and length."""
    return len(digits) in issued_lengths(digits[:4])


def is_valid_card(digits: str) -> bool:
    """Check length, issuer and check digit; a number of one repeated digit is a placeholder."""
    fits = SHORTEST <= len(digits) <= LONGEST
    return fits and has_issuer(digits) and luhn(digits) and len(set(digits)) > 1


def is_card_here(text: str, number: Number, label: Label | None) -> bool:
    """Decide about a valid card number: grouping as printed speaks for itself, other forms need context."""
    announced = label is not None and label.kind is Kind.CARD
    if announced or _EXPIRY.match(text, number.end, number.end + RIGHT):
        return True
    if label is not None and label.kind is Kind.OTHER and label.direct and len(number.sizes) == 1:
        return False
    if number.text.startswith("+"):
        return False
    if number.sizes in _PRINTED:
        return True
    maestro = number.digits[0] in "56" and number.digits[:2] in _MAESTRO
    if len(number.sizes) == 1 and len(number.digits) in _USUAL_LENGTHS and not maestro:
        return True
    known = not maestro or number.digits[:4] in _USUAL_MAESTRO
    grouped = min(number.sizes[:-1], default=4) >= 4
    return known and grouped and in_a_sentence(text, number.start, number.end)
