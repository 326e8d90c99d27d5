"""Phone numbers: international and national forms, judged by shape, numbering plans and words beside them."""

from __future__ import annotations

from typing import Final, Protocol

from domain.memory.pii import phone_forms as forms
from domain.memory.pii.digits import Number, Stretch, numbers_from
from domain.memory.pii.label_words import Kind
from domain.memory.pii.labels import Label, is_quantity, label_before, phone_word_after
from domain.memory.pii.surroundings import (
    after_a_name,
    alone_on_its_line,
    in_a_sentence,
    joined_to_a_word,
    stands_for_an_object,
)

SHORTEST: Final = 6
LONGEST: Final = 16
_COUNTING: Final = "012345678901"
_ZIP: Final = (5, 4)
_BETWEEN: Final = frozenset(" -./")
_SOMETHING_ELSE: Final = frozenset({Kind.OTHER, Kind.ACCOUNT})


class PhonePlans(Protocol):
    """What is known of the world's numbering plans."""

    def is_country(self, digits: str) -> bool:
        """Tell whether digits begin with a country code."""
        ...

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

    def pick_from(self, text: str, stretch: Stretch, index: int, end: int) -> tuple[Number, int] | None:
        """Return the best number that begins at a group of digits, and where its extension ends."""
        start = stretch.groups[index][0]
        begin = start
        while begin > stretch.floor and text[begin - 1] in "+(":
            begin -= 1
        last = len(stretch.groups) - index <= LONGEST
        if not (last or forms.may_begin(text, begin)):
            label = label_before(text, begin)
            if label is None or label.kind is not Kind.PHONE:
                return None
        return self.pick(text, list(numbers_from(text, stretch, index, SHORTEST, LONGEST)), end)

    def pick(self, text: str, readings: list[Number], end: int) -> tuple[Number, int] | None:
        """Return the best reading, if one is a phone number, and where its extension ends."""
        if not readings:
            return None
        label = label_before(text, readings[0].start)
        for accepts in (self._speaks_for_itself, self._is_announced):
            for number in readings:
                if accepts(text, number, label):
                    after = _extension_end(text, number.end, end)
                    if not is_quantity(text, number.start, after):
                        return number, after
        return None

    def _speaks_for_itself(self, text: str, number: Number, label: Label | None) -> bool:
        if label is not None and label.direct and label.kind in _SOMETHING_ELSE:
            return _has_plus(number) and self._is_written_international(text, number)
        if _has_plus(number):
            return self._is_written_international(text, number)
        piece, digits = number.text, number.digits
        if forms.is_shaped(piece, len(digits)):
            return True
        calm = label is None or label.kind not in _SOMETHING_ELSE
        if digits.startswith("0"):
            return self._has_zero(text, number, label, calm)
        return calm and self._stands_like_one(text, number)

    def _has_zero(self, text: str, number: Number, label: Label | None, calm: bool) -> bool:
        """Decide about digits behind a trunk zero or the international prefix 00."""
        piece, digits = number.text, number.digits
        if forms.is_list_of_codes(piece):
            return False
        if piece.lstrip("(").startswith("00"):
            if len(number.sizes) > 1:
                return len(digits) >= 10 and digits[2] != "0" and self._is_international(digits[2:])
            return calm and 11 <= len(digits) <= 15 and self._plans.is_assigned(digits[2:])
        if digits.startswith("011") and len(number.sizes) > 2 and self._plans.is_assigned(digits[3:]):
            return True
        if len(digits) == len(piece) in {10, 11}:
            return label is None and digits not in _COUNTING and self._plans.is_national(digits)
        written = 9 <= len(digits) <= 12 and number.sizes != _ZIP and forms.has_trunk(piece)
        return calm and written and (self._plans.is_national(digits) or _stands_apart(text, number))

    def _stands_like_one(self, text: str, number: Number) -> bool:
        """Decide about forms that other numbers have as well, by where they stand."""
        plain = len(number.digits) == len(number.text)
        if plain and len(number.digits) == 10 and self._is_common(number.digits):
            return after_a_name(text, number.start) or stands_for_an_object(text, number.start, number.end)
        if forms.is_nine(number.text) and alone_on_its_line(text, number.start, number.end):
            return True
        return forms.is_grouped(number.text, number.sizes) and (
            after_a_name(text, number.start)
            or (
                forms.THOUSANDS.fullmatch(number.text) is None
                and stands_for_an_object(text, number.start, number.end)
            )
        )

    def _is_common(self, digits: str) -> bool:
        """Tell numbers that are mostly written without groups: of North America and of India."""
        return self._plans.is_assigned(f"1{digits}") or (
            digits[0] in "6789" and self._plans.is_assigned(f"91{digits}")
        )

    def _is_written_international(self, text: str, number: Number) -> bool:
        """Decide about digits behind a plus; whoever groups them like a number is taken at his word."""
        digits = number.digits
        if len(digits) < 8:
            return len(digits) >= 6 and len(number.sizes) > 1 and self._plans.is_assigned(digits)
        if forms.is_north_american(number.text) or self._is_international(digits):
            return True
        if len(digits) > 15 or not self._plans.is_country(digits):
            return False
        if len(number.sizes) > 1:
            return len(digits) >= 9 and forms.THOUSANDS.fullmatch(number.text) is None
        return len(digits) >= 10 and number.start > 1 and text[number.start - 2] != "\n"

    def _is_international(self, digits: str) -> bool:
        """Also without the trunk zero that some write behind the country code, as in +44 (0)20 7946 0958."""
        if self._plans.is_international(digits):
            return True
        return any(
            digits[at : at + 1] == "0" and self._plans.is_international(digits[:at] + digits[at + 1 :])
            for at in (2, 3)
        )

    def _is_announced(self, text: str, number: Number, label: Label | None) -> bool:
        announced = label is not None and label.kind is Kind.PHONE
        closed = not announced and not _goes_on(text, number.end)
        if not (announced or closed) or len(number.digits) > 15 or len(set(number.digits)) == 1:
            return False
        if announced and label is not None and label.direct:
            return True
        if label is not None and label.direct and label.kind in _SOMETHING_ELSE:
            return False
        if not _goes_on(text, number.end) and phone_word_after(
            text, _extension_end(text, number.end, len(text))
        ):
            return True
        return announced and label is not None and label.same_line and _is_near(text, number)


def _stands_apart(text: str, number: Number) -> bool:
    """Tell whether a number in several groups stands where people put their phone numbers."""
    return len(number.sizes) > 1 and (
        in_a_sentence(text, number.start, number.end)
        or after_a_name(text, number.start)
        or alone_on_its_line(text, number.start, number.end)
    )


def _is_near(text: str, number: Number) -> bool:
    """Decide about a number that has a phone word on its line, not beside it."""
    if len(number.digits) < 8:
        return forms.LOCAL.fullmatch(number.text) is not None
    return not (
        forms.TIMESTAMP.fullmatch(number.digits)
        or forms.THOUSANDS.fullmatch(number.text)
        or joined_to_a_word(text, number.start)
    )


def _has_plus(number: Number) -> bool:
    return number.text.lstrip("(").startswith("+")


def _goes_on(text: str, end: int) -> bool:
    """Tell at little cost that another group of digits follows, so that no word or extension does."""
    return text[end : end + 1] in _BETWEEN and text[end + 1 : end + 2].isdigit()


def _extension_end(text: str, end: int, limit: int) -> int:
    if _goes_on(text, end):
        return end
    found = forms.EXTENSION.match(text, end, limit)
    return found.end() if found else end
