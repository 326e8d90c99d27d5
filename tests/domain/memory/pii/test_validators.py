"""Check digits, issued ranges, folding and cuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.pii import PiiType
from domain.memory.pii.cards import is_valid_card, luhn
from domain.memory.pii.folding import fold
from domain.memory.pii.iban import has_check_digits
from domain.memory.pii.segments import SEGMENT, segments
from domain.memory.pii.social_security import number_type
from domain.memory.pii.spans import Span, without_overlaps

numbers = st.text("0123456789", min_size=11, max_size=18)


@given(numbers)
def test_of_ten_last_digits_luhn_takes_one(number):
    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


@given(numbers, st.integers(0, 17), st.integers(1, 9))
def test_luhn_notices_one_changed_digit(number, place, change):
    whole = next(f"{number}{digit}" for digit in range(10) if luhn(f"{number}{digit}"))
    at = place % len(whole)

    changed = whole[:at] + str((int(whole[at]) + change) % 10) + whole[at + 1 :]

    assert not luhn(changed)


@pytest.mark.parametrize(
    "digits",
    ["4111111111111111", "378282246310005", "6011111111111117", "5105105105105100", "2223003122003222"],
)
def test_test_cards_of_the_networks_are_valid(digits):
    assert is_valid_card(digits)


@pytest.mark.parametrize(
    "digits", ["4111111111111112", "0000000000000000", "1234567812345670", "37828224631000"]
)
def test_wrong_digit_issuer_or_length_is_no_card(digits):
    assert not is_valid_card(digits)


@pytest.mark.parametrize(
    ("digits", "kind"),
    [
        ("536904399", PiiType.SSN),
        ("000904399", None),
        ("666904399", None),
        ("536004399", None),
        ("536900000", None),
        ("912704399", PiiType.ITIN),
        ("912104399", None),
        ("53690439", None),
    ],
)
def test_social_security_and_taxpayer_ranges(digits, kind):
    assert number_type(digits) is kind


def test_iban_check_digits():
    assert has_check_digits("GB82WEST12345698765432")
    assert not has_check_digits("GB82WEST12345698765433")


@given(st.text())
def test_folding_keeps_every_offset(text):
    folded = fold(text)

    assert len(folded) == len(text)
    assert fold(folded) == folded


@given(st.text("ab 1,\n@", max_size=300), st.integers(1, 60))
def test_segments_cover_the_text_and_are_bounded(text, times):
    places = list(segments(text * times))

    assert "".join((text * times)[start:end] for start, end in places) == text * times
    assert all(0 < end - start <= SEGMENT for start, end in places)


def test_of_two_that_overlap_the_longer_stays():
    short, long, apart = Span(0, 5, PiiType.PHONE), Span(3, 12, PiiType.EMAIL), Span(12, 14, PiiType.SSN)

    assert without_overlaps([apart, long, short]) == [long, apart]
