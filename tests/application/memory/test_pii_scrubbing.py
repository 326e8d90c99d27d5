"""The port through which writers of texts scrub them."""

from __future__ import annotations

from typing import Any

import pytest

from application.memory.pii import PiiScrubbing, PseudonymOwner, ScrubRules, pii_types
from application.memory.pii_phone_plans import LibraryPhonePlans
from application.memory.pii_values import DEEPEST
from domain.kernel.errors import InvalidInput
from domain.kernel.pii import STANDARD_TYPES, PiiType, ScrubMode
from domain.memory.pii.spans import PiiDetectionFailed
from tests.domain.memory.pii.given import keyed
from tests.domain.memory.pii.test_detector import BrokenPlans

SCRUBBING = PiiScrubbing(LibraryPhonePlans())
STANDARD = ScrubRules()


class OneKey:
    """Gives every owner the same keyed function."""

    async def keyed(self, owner):
        return keyed


async def test_texts_keys_and_bare_numbers_are_scrubbed():
    memory: dict[str, Any] = {
        "content": "Ann Lee (ann@example.org) rang.",
        "metadata": {"phone": 2015550123, "bob@example.org": True, "size": 2015550123, "tags": ["a", None]},
    }

    clean = await SCRUBBING.scrub(memory, STANDARD)

    assert clean.value == {
        "content": "Ann Lee ([EMAIL]) rang.",
        "metadata": {"phone": "[PHONE]", "[EMAIL_2]": True, "size": 2015550123, "tags": ["a", None]},
    }
    assert clean.counts == {PiiType.EMAIL: 2, PiiType.PHONE: 1}
    assert memory["metadata"]["phone"] == 2015550123


async def test_the_same_value_has_the_same_placeholder():
    clean = await SCRUBBING.scrub(["a@example.org", "b@example.org", "a@example.org"], STANDARD)

    assert clean.value == ["[EMAIL]", "[EMAIL_2]", "[EMAIL]"]


async def test_keys_that_become_equal_stay_apart():
    clean = await SCRUBBING.scrub({"a@example.org": 1, "b@example.org": 2}, ScrubRules(mode=ScrubMode.REDACT))

    assert clean.value == {"[REDACTED]": 1, "[REDACTED] (2)": 2}


async def test_only_the_kinds_asked_for_are_scrubbed():
    clean = await SCRUBBING.scrub(
        "ann@example.org, +44 20 7946 0958", ScrubRules.of(ScrubMode.REDACT, ["PHONE"])
    )

    assert clean.value == "ann@example.org, [REDACTED]"


async def test_pseudonyms_come_with_their_originals():
    scrubbing = PiiScrubbing(LibraryPhonePlans(), OneKey())
    owner = PseudonymOwner("acme", "s_1")

    clean = await scrubbing.scrub("ann@example.org", ScrubRules(mode=ScrubMode.PSEUDONYM), owner)

    assert clean.pseudonyms == {clean.value: "ann@example.org"}


async def test_pseudonyms_without_an_owner_are_refused():
    with pytest.raises(InvalidInput):
        await SCRUBBING.scrub("ann@example.org", ScrubRules(mode=ScrubMode.PSEUDONYM))


async def test_a_failing_detector_refuses_the_value():
    with pytest.raises(PiiDetectionFailed):
        await PiiScrubbing(BrokenPlans()).scrub({"phone": "+44 20 7946 0958"}, STANDARD)


async def test_bottomless_values_are_refused():
    value: object = "x"
    for _ in range(DEEPEST + 2):
        value = [value]

    with pytest.raises(InvalidInput, match="nested"):
        await SCRUBBING.scrub(value, STANDARD)


def test_unknown_kinds_are_named_by_their_place():
    with pytest.raises(InvalidInput) as refused:
        ScrubRules.of(ScrubMode.REDACT, ["EMAIL", "SHOE_SIZE"])

    assert [error.pointer for error in refused.value.errors] == ["/pii_entities/1"]


def test_kinds_by_name():
    assert pii_types(["EMAIL", "PHONE", "SSN", "CREDIT_CARD"], "/entities") == STANDARD_TYPES
