"""What the detector finds, what it leaves alone, and how it fails."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.memory.pii_phone_plans import LibraryPhonePlans
from domain.kernel.pii import STANDARD_TYPES, PiiType
from domain.memory.pii.detector import Detector
from domain.memory.pii.spans import PiiDetectionFailed
from tests.domain.memory.pii import hard_cases, label_cases
from tests.domain.memory.pii.cases import FOUND, NOTHING, OTHER_KINDS, PERSONS
from tests.domain.memory.pii.given import DETECTOR, dense_texts, found_in, mixed_texts

STANDARD = Detector(LibraryPhonePlans(), STANDARD_TYPES)
HUGE = 40_000
ADVERSARIAL = (
    *(
        "1",
        "12 ",
        "1-",
        "4111 ",
        "123 456 ",
        "@",
        "a@",
        "a@a.",
        "a.",
        ":",
        "1:",
        "a:",
        "(1)",
        "+1",
        "DE12 ",
        "GB12 ABCD ",
    ),
    *(
        " at",
        " at xx dot",
        "a[at]b[dot]",
        "+49 30 123456 ",
        "call 33 93 31 ",
        "1\u200b",
        "电话",
        "1/",
        "1.1.1.1.",
        "5551234 ext ",
        "00 ",
        "0 0-",
        "one two ",
        "double ",
        "415 555 2671 ",
        "my name is ",
    ),
)


@pytest.mark.parametrize(("text", "expected"), [*FOUND, *hard_cases.FOUND])
def test_finds_personal_data_in_many_forms(text, expected):
    core = tuple(one for one in found_in(text) if PiiType(one[0]) in STANDARD_TYPES)
    assert core == expected


@pytest.mark.parametrize("text", [*NOTHING, *hard_cases.NOTHING])
def test_leaves_alone_what_only_looks_like_it(text):
    assert [one for one in found_in(text) if PiiType(one[0]) in STANDARD_TYPES] == []


@pytest.mark.parametrize(("text", "number"), label_cases.PHONES)
def test_a_label_makes_a_national_number_a_phone_number(text, number):
    assert standard(text) == [("PHONE", number)]


@pytest.mark.parametrize("text", label_cases.NO_PHONES)
def test_a_phone_word_nearby_makes_nothing_else_one(text):
    assert "PHONE" not in dict(standard(text))


@pytest.mark.parametrize(("text", "number"), label_cases.TAXPAYERS)
def test_the_standard_kinds_bring_labelled_taxpayer_numbers_along(text, number):
    assert standard(text) == [("ITIN", number)]


@pytest.mark.parametrize("text", label_cases.NO_TAXPAYERS)
def test_the_standard_kinds_leave_other_numbers_with_nine_in_front_alone(text):
    assert standard(text) == []


def test_who_asks_for_other_kinds_gets_no_taxpayer_numbers():
    found = Detector(LibraryPhonePlans(), frozenset({PiiType.PHONE})).detect("ITIN 912-70-1234")
    assert found == []


def standard(text: str) -> list[tuple[str, str]]:
    """Return what the four standard kinds find."""
    return [(str(span.type), text[span.start : span.end]) for span in STANDARD.detect(text)]


@pytest.mark.parametrize(("text", "expected"), OTHER_KINDS)
def test_finds_accounts_addresses_and_taxpayer_numbers(text, expected):
    assert found_in(text) == expected


@pytest.mark.parametrize(("text", "expected"), PERSONS)
def test_finds_names_that_the_text_announces(text, expected):
    detector = Detector(LibraryPhonePlans(), {PiiType.PERSON})
    assert tuple(text[span.start : span.end] for span in detector.detect(text)) == expected


def test_offsets_count_code_points():
    text = "😀😀 mail 𝄞 to ann@example.org 😀"

    (span,) = DETECTOR.detect(text)

    assert text[span.start : span.end] == "ann@example.org"


def test_finds_only_the_kinds_it_was_asked_for():
    detector = Detector(LibraryPhonePlans(), {PiiType.PHONE})

    kinds = [span.type for span in detector.detect("ann@example.org, tel 415-555-2671, 203.0.113.42")]

    assert kinds == [PiiType.PHONE]


class BrokenPlans:
    """Numbering plans whose data are damaged; the message repeats the number, as careless libraries do."""

    def is_country(self, digits: str) -> bool:
        raise KeyError(digits)

    def is_international(self, digits: str) -> bool:
        raise KeyError(digits)

    def is_assigned(self, digits: str) -> bool:
        raise KeyError(digits)

    def is_national(self, digits: str) -> bool:
        raise KeyError(digits)


def test_an_error_of_the_detector_refuses_the_text_and_tells_nothing_of_it():
    with pytest.raises(PiiDetectionFailed) as refused:
        Detector(BrokenPlans()).detect("ring +49 30 901820")

    assert "4930901820" not in str(refused.value)
    assert refused.value.__cause__ is None


@given(mixed_texts | dense_texts | st.text())
@settings(max_examples=150, deadline=None)
def test_spans_are_sorted_inside_the_text_and_apart(text):
    spans = DETECTOR.detect(text)

    ends = [0, *(span.end for span in spans)]
    assert all(
        before <= span.start < span.end <= len(text) for before, span in zip(ends, spans, strict=False)
    )


@pytest.mark.parametrize("unit", ADVERSARIAL)
def test_huge_repetitive_texts_are_searched_to_their_end(unit):
    """Quadratic rules would take minutes here; linear ones take moments."""
    text = (unit * (HUGE // len(unit))) + " mail ann@example.org"

    assert DETECTOR.detect(text)[-1].type is PiiType.EMAIL


@given(st.text("1 -.@a(+:/xd", min_size=1, max_size=8))
@settings(max_examples=8, deadline=None)
def test_any_small_pattern_repeated_is_searched_to_its_end(unit):
    text = (unit * (HUGE // len(unit))) + "\nmail ann@example.org"

    assert text[DETECTOR.detect(text)[-1].start :] == "ann@example.org"
