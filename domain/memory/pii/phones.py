"""Phone numbers: international and national forms, judged by shape, numbering plans and words beside them."""

from __future__ import annotations

import re
from typing import Final, Protocol

from domain.memory.pii.digits import Number
from domain.memory.pii.label_words import Kind
from domain.memory.pii.labels import Label, is_quantity, label_before, phone_word_after

SHORTEST: Final = 6
LONGEST: Final = 16
_NORTH_AMERICAN: Final = re.compile(
    r"(?:\(?(?:\+|00|011[-. ]?)?1\)?[-. ]{0,2}|001[-. ])?"
    r"(?:\([0-9]{3}\)[-. ]{0,2}[0-9]{3}[-. ]{1,3}[0-9]{4}|[0-9]{3}[-./ ]{1,3}[0-9]{3}[-. ]{1,3}[0-9]{4})"
)
_AREA_IN_PARENTHESES: Final = re.compile(
    r"(?:[0-9]{1,3}[- ]{0,2})?\((?!19|20)[0-9]{1,5}\)[- ]{0,3}[0-9][0-9 -]*"
)
_AFTER_A_NAME: Final = re.compile(r"[A-Z][a-z]+[ ,:;(\t-]{1,3}$")
_CHINESE_MOBILE: Final = re.compile(r"1[3-9][0-9](?:[0-9]{8}|[- ][0-9]{4}[- ][0-9]{4})")
_TRUNK: Final = re.compile(r"\(?0[1-9][0-9]{0,4}\)?[-. /]")
_TIMESTAMP: Final = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{0,6}")
_THOUSANDS: Final = re.compile(r"[0-9]{1,3}(?:[ .][0-9]{3})+")
_COUNTING: Final = "012345678901"
_ZIP: Final = (5, 4)
_BETWEEN: Final = frozenset(" -./")
_EXTENSION: Final = re.compile(
    r"""(?:\s?(?:x|ext\.?|extn\.?|extension|poste|anexo|ramal|доб\.?)\s?[.:]?\s?|\s?\#\s?)
        [0-9]{1,6}(?![0-9])""",
    re.VERBOSE | re.IGNORECASE,
)


class PhonePlans(Protocol):
    """What is known of the world's numbering plans."""

    def is_international(self, digits: str) -> bool:
        """Tell whether digits begin with a country code and have a length that is in use there."""
        ...

    def is_assigned(self, digits: str) -> bool:
        """Tell whether digits that begin with a country code lie in a range that is assigned there."""
        ...

    def is_national(self, digits: str) -> bool:
        """Tell whether digits that begin with a trunk zero can be assigned in a country that writes one."""
        ...


class PhoneRules:
    """Decides about readings as phone numbers."""

    def __init__(self, plans: PhonePlans) -> None:
        self._plans = plans

    def pick(self, text: str, readings: list[Number], end: int) -> tuple[Number, int] | None:
        """Return the best reading, if one is a phone number, and where its extension ends."""
        if not readings:
            return None
        label = label_before(text, readings[0].start)
        for accepts in (self._speaks_for_itself, self._is_announced):
            for number in readings:
                after = _extension_end(text, number.end, end)
                if accepts(text, number, after, label):
                    return number, after
        return None

    def _speaks_for_itself(self, text: str, number: Number, after: int, label: Label | None) -> bool:
        if not self._has_own_form(text, number, label) or is_quantity(text, number.start, after):
            return False
        other = label is not None and label.direct and label.kind in {Kind.OTHER, Kind.ACCOUNT}
        return not other or number.text.lstrip("(").startswith("+")

    def _has_own_form(self, text: str, number: Number, label: Label | None) -> bool:
        piece, digits = number.text, number.digits
        if piece.lstrip("(").startswith("+"):
            return len(digits) >= 8 and (_north_american(piece) or self._is_international(digits))
        if _is_shaped(piece, len(digits)):
            return True
        if len(digits) == len(piece) == 10 and label is None and self._plans.is_assigned(f"1{digits}"):
            return _AFTER_A_NAME.search(text, max(0, number.start - 24), number.start) is not None
        if digits.startswith("00"):
            return len(digits) >= 10 and len(number.sizes) > 1 and self._is_international(digits[2:])
        if len(digits) == len(piece) in {10, 11}:
            return label is None and digits not in _COUNTING and self._plans.is_national(digits)
        calm = label is None or label.kind not in {Kind.OTHER, Kind.ACCOUNT}
        written = 9 <= len(digits) <= 12 and number.sizes != _ZIP and _TRUNK.match(piece)
        return calm and bool(written) and self._plans.is_national(digits)

    def _is_international(self, digits: str) -> bool:
        """Also without the trunk zero that some write behind the country code, as in +44 (0)20 7946 0958."""
        if self._plans.is_international(digits):
            return True
        return any(
            digits[at] == "0" and self._plans.is_international(digits[:at] + digits[at + 1 :])
            for at in (2, 3)
        )

    def _is_announced(self, text: str, number: Number, after: int, label: Label | None) -> bool:
        direct = label is not None and label.kind is Kind.PHONE and label.direct
        closed = not _goes_on(text, after) and phone_word_after(text, after)
        near = label is not None and label.kind is Kind.PHONE and label.same_line and len(number.digits) >= 8
        if not (direct or closed or near) or is_quantity(text, number.start, after):
            return False
        if len(number.digits) > 15 or len(set(number.digits)) == 1:
            return False
        if direct:
            return True
        if label is not None and label.direct and label.kind in {Kind.OTHER, Kind.ACCOUNT}:
            return False
        return closed or not (_TIMESTAMP.fullmatch(number.digits) or _THOUSANDS.fullmatch(number.text))


def _goes_on(text: str, end: int) -> bool:
    """Tell at little cost that another group of digits follows, so that no word or extension does."""
    return text[end : end + 1] in _BETWEEN and text[end + 1 : end + 2].isdigit()


def _north_american(piece: str) -> bool:
    return _NORTH_AMERICAN.fullmatch(piece) is not None


def _is_shaped(piece: str, digits: int) -> bool:
    """Tell the writings that say phone number: North American, Chinese mobile, area in parentheses."""
    return (
        _north_american(piece)
        or (digits == 11 and _CHINESE_MOBILE.fullmatch(piece) is not None)
        or (9 <= digits <= 13 and _AREA_IN_PARENTHESES.fullmatch(piece) is not None)
    )


def _extension_end(text: str, end: int, limit: int) -> int:
    if _goes_on(text, end):
        return end
    found = _EXTENSION.match(text, end, limit)
    return found.end() if found else end
