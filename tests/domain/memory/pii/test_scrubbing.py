"""What stands where personal data stood, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from domain.kernel.errors import InvalidInput
from domain.kernel.pii import PiiType, ScrubMode
from domain.memory.pii.scrubbing import Scrubber, restore
from tests.domain.memory.pii.given import DETECTOR, mixed_texts, scrubber

TEXT = "Mail ann@example.org or ring +44 20 7946 0958; her SSN is 536-90-4399."


def test_redaction_leaves_no_trace_of_the_kind():
    assert scrubber(ScrubMode.REDACT).scrub(TEXT).text == (
        "Mail [REDACTED] or ring [REDACTED]; her SSN is [REDACTED]."
    )


def test_placeholders_name_the_kind():
    scrubbed = scrubber(ScrubMode.PLACEHOLDER).scrub(TEXT)

    assert scrubbed.text == "Mail [EMAIL] or ring [PHONE]; her SSN is [SSN]."
    assert scrubbed.counts == {PiiType.EMAIL: 1, PiiType.PHONE: 1, PiiType.SSN: 1}
    assert scrubbed.pseudonyms == {}


def test_pseudonyms_are_stable_and_differ_between_values():
    first = scrubber(ScrubMode.PSEUDONYM).scrub("ann@example.org, bob@example.org").text
    again = scrubber(ScrubMode.PSEUDONYM).scrub("ann@example.org, bob@example.org").text

    ann, bob = first.split(", ")
    assert first == again
    assert ann != bob
    assert ann.startswith("[EMAIL:")


def test_pseudonyms_of_another_key_differ():
    other = Scrubber(DETECTOR, ScrubMode.PSEUDONYM, lambda data: bytes(reversed(data))[:10].ljust(10, b"."))

    assert other.scrub(TEXT).text != scrubber(ScrubMode.PSEUDONYM).scrub(TEXT).text


@given(mixed_texts)
@settings(max_examples=60, deadline=None)
def test_pseudonyms_lead_back_to_the_text(text):
    scrubbed = scrubber(ScrubMode.PSEUDONYM).scrub(text)

    assert restore(scrubbed.text, scrubbed.pseudonyms) == text
    assert all(value not in scrubbed.text or value in text for value in scrubbed.pseudonyms.values())


def test_unknown_tokens_stay_when_restoring():
    token = "[EMAIL:" + "a" * 20 + "]"

    assert restore(f"to {token}", {}) == f"to {token}"


def test_pseudonyms_need_a_key():
    with pytest.raises(InvalidInput, match="keyed function"):
        Scrubber(DETECTOR, ScrubMode.PSEUDONYM)
