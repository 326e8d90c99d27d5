"""Finds personal data in a text: one pass over its segments, each kind by its own rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Set
from typing import Final

from domain.kernel.pii import CERTAIN_TYPES, STANDARD_TYPES, PiiType
from domain.memory.pii import cards, social_security
from domain.memory.pii.digits import Number, Stretch, numbers_from, spelled_out, stretches
from domain.memory.pii.folding import fold
from domain.memory.pii.iban import account_numbers
from domain.memory.pii.internet import internet_addresses
from domain.memory.pii.labels import label_before
from domain.memory.pii.mail import mail_addresses
from domain.memory.pii.persons import persons
from domain.memory.pii.phones import PhonePlans, PhoneRules
from domain.memory.pii.segments import crosses_cut, segments
from domain.memory.pii.spans import PiiDetectionFailed, Span, without_overlaps
from domain.memory.pii.spoken import speaks_numbers, spoken_numbers

_WORTH_A_LOOK: Final = re.compile(r"[\d@\uff20\ufe6b]|[\[(\s](?:at|@)[\])\s]", re.IGNORECASE)
DETECTOR_VERSION: Final = 3
"""Stored beside counts of what was found; rises whenever the rules find something else."""
_Finder = Callable[[str, int, int], Iterator[tuple[int, int]]]
_FINDERS: Final[tuple[tuple[PiiType, _Finder], ...]] = (
    (PiiType.EMAIL, mail_addresses),
    (PiiType.IBAN, account_numbers),
    (PiiType.IP_ADDRESS, internet_addresses),
    (PiiType.PERSON, persons),
)


class Detector:
    """Finds the kinds of personal data it was asked for.

    SSN brings those ITINs along that a label announces: whoever wants the one out means the other as well.
    """

    def __init__(self, plans: PhonePlans, types: Set[PiiType] = CERTAIN_TYPES) -> None:
        self._types = frozenset(types)
        self._phones = PhoneRules(plans)

    def detect(self, text: str) -> list[Span]:
        """Return the spans in order and without overlaps; raises PiiDetectionFailed."""
        if not self.worth_a_look(text, 0, len(text)):
            return []
        folded = fold(text)
        return [span for start, end in segments(folded) for span in self.search(folded, start, end)]

    def worth_a_look(self, text: str, start: int, end: int) -> bool:
        """Tell at little cost whether the stretch holds anything that personal data cannot do without."""
        return (
            PiiType.PERSON in self._types
            or _WORTH_A_LOOK.search(text, start, end) is not None
            or speaks_numbers(text, start, end)
        )

    def search(self, folded: str, start: int, end: int) -> list[Span]:
        """Search between two cuts of a folded text; the characters around them are read as context only.

        Raises PiiDetectionFailed when anything goes wrong, whatever it is.
        """
        try:
            return self._search(folded, start, end)
        except Exception as error:  # noqa: BLE001 - fails closed, whatever the rules stumble over
            raise PiiDetectionFailed(type(error).__name__) from None

    def _search(self, folded: str, start: int, end: int) -> list[Span]:
        if not self.worth_a_look(folded, start, end):
            return []
        found: list[Span] = []
        for stretch in stretches(folded, start, end):
            found.extend(self._numbers(folded, stretch, end))
        if self._types & STANDARD_TYPES and speaks_numbers(folded, start, end):
            for number in spoken_numbers(folded, start, end):
                found.extend(self._dictated(folded, number, end))
        found.extend(
            Span(*place, kind)
            for kind, finder in _FINDERS
            if kind in self._types
            for place in finder(folded, start, end)
            if not crosses_cut(folded, *place)
        )
        return [span for span in without_overlaps(found) if self._is_asked_for(folded, span)]

    def _is_asked_for(self, folded: str, span: Span) -> bool:
        if span.type is PiiType.ITIN and PiiType.SSN in self._types and PiiType.ITIN not in self._types:
            return social_security.is_announced(folded, span.start, span.end)
        return span.type in self._types

    def _numbers(self, text: str, stretch: Stretch, end: int) -> Iterator[Span]:
        dictated = spelled_out(text, stretch)
        if dictated is not None:
            yield from self._dictated(text, dictated, end)
            return
        claims: list[Span] = []
        for rest in _claimed(text, stretch, _card, claims):
            for last in _claimed(text, rest, _social_security, claims):
                yield from self._phone_spans(text, last, end)
        yield from claims

    def _dictated(self, text: str, number: Number, end: int) -> Iterator[Span]:
        label = label_before(text, number.start)
        kind = social_security.type_here(text, number)
        if cards.is_valid_card(number.digits) and cards.is_card_here(text, number, label):
            yield Span(number.start, number.end, PiiType.CREDIT_CARD)
        elif kind is not None:
            yield Span(number.start, number.end, kind)
        elif self._phones.pick(text, [number], end) is not None:
            yield Span(number.start, number.end, PiiType.PHONE)

    def _phone_spans(self, text: str, stretch: Stretch, end: int) -> Iterator[Span]:
        index = 0
        while index < len(stretch.groups):
            if stretch.breaks[index] or index == 0:
                picked = self._phones.pick_from(text, stretch, index, end)
                if picked is not None:
                    yield Span(picked[0].start, picked[1], PiiType.PHONE)
                    index = picked[0].last
            index += 1


def _claimed(
    text: str,
    stretch: Stretch,
    claim: Callable[[str, Stretch, int], tuple[Number, PiiType] | None],
    claims: list[Span],
) -> Iterator[Stretch]:
    """Add what the rule claims of a stretch to `claims`, and yield what is left of the stretch."""
    begin = index = 0
    while index < len(stretch.groups):
        claimed = claim(text, stretch, index) if stretch.breaks[index] or index == 0 else None
        if claimed is None:
            index += 1
            continue
        number, kind = claimed
        claims.append(Span(number.start, number.end, kind))
        if begin < index:
            yield stretch.part(text, begin, index)
        begin = index = number.last + 1
    if begin == 0:
        yield stretch
    elif begin < len(stretch.groups):
        yield stretch.part(text, begin, len(stretch.groups))


def _card(text: str, stretch: Stretch, index: int) -> tuple[Number, PiiType] | None:
    if not cards.issued_lengths(stretch.digits[stretch.offsets[index] : stretch.offsets[index] + 4]):
        return None
    for number in numbers_from(text, stretch, index, cards.SHORTEST, cards.LONGEST):
        if cards.is_valid_card(number.digits) and cards.is_card_here(
            text, number, label_before(text, number.start)
        ):
            return number, PiiType.CREDIT_CARD
    return None


def _social_security(text: str, stretch: Stretch, index: int) -> tuple[Number, PiiType] | None:
    for number in numbers_from(text, stretch, index, social_security.LENGTH, social_security.LENGTH):
        kind = social_security.type_here(text, number)
        if kind is not None:
            return number, kind
    return None
