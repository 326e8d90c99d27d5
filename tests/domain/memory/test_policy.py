"""What the rules of a category and of the tenant come to, and when a memory ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.kernel.pii import ScrubMode
from domain.memory.events import EVENTS
from domain.memory.memory_policy import MemoryPolicy
from domain.memory.policy import (
    MODES,
    STANDARD_ENTITIES,
    SWITCHES,
    EffectivePolicy,
    MemoryRules,
    PolicyBook,
    expiry,
)
from domain.memory.policy_events import MemoryPolicySet
from tests.domain.given import given

NOW = datetime(2030, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
KNOWN = {*STANDARD_ENTITIES, "IBAN", "IP_ADDRESS"}


def test_without_rules_memories_are_scrubbed_and_kept() -> None:
    assert PolicyBook().of("x") == EffectivePolicy()
    assert EffectivePolicy().pii_scrubbing
    assert EffectivePolicy().ttl_days is None


def test_a_category_fills_what_it_leaves_open_from_the_default() -> None:
    book = PolicyBook().set(None, MemoryRules(ttl_days=30, pii_scrubbing=False))
    book = book.set("support", MemoryRules(ttl_days=90))
    assert book.of("support").ttl_days == 90
    assert not book.of("support").pii_scrubbing
    assert book.of("other").ttl_days == book.elsewhere().ttl_days == 30


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_switches_on_what_is_written_of_it(mode) -> None:
    switches = SWITCHES[mode]
    held = PolicyBook().set("c", MemoryRules(compliance_mode=mode)).of("c")
    assert held.ttl_days == switches.default_ttl_days
    assert held.confined == switches.confined
    assert held.pii_mode == (ScrubMode.REDACT if switches.irreversible else ScrubMode.PLACEHOLDER)
    assert held.pii_scrubbing
    if switches.scrubbing:
        assert set(switches.entities) <= set(held.pii_entities)


def test_a_mode_adds_its_kinds_to_those_asked_for() -> None:
    rules = MemoryRules(compliance_mode="gdpr", pii_entities=("ITIN",))
    assert set(PolicyBook(rules).of("c").pii_entities) == KNOWN | {"ITIN"}
    assert PolicyBook(MemoryRules(pii_entities=("SSN",))).of("c").pii_entities == ("SSN",)


def test_the_shorter_ttl_wins_to_the_second() -> None:
    assert expiry(NOW, None, None) is None
    assert expiry(NOW, 3, None) == NOW + timedelta(days=3)
    assert expiry(NOW, 3, 2) == expiry(NOW, 2, 3) == NOW + timedelta(days=2)
    assert expiry(NOW, 0, 9) == NOW
    assert expiry(datetime(9999, 12, 30, tzinfo=UTC), 36_500, None) is None


def test_setting_a_policy_makes_the_next_version() -> None:
    rules = MemoryRules(ttl_days=1)
    first = MemoryPolicySet(category="support", version=1, set_at=NOW, rules=rules)
    given(MemoryPolicy).when(lambda policy: policy.set("support", rules, NOW, KNOWN)).then(first)
    again = MemoryPolicySet(category="support", version=2, set_at=NOW, rules=rules)
    given(MemoryPolicy, first).when(lambda policy: policy.set("support", rules, NOW, KNOWN)).then(again)


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [
        (MemoryRules(ttl_days=-1), "/ttl_days"),
        (MemoryRules(ttl_days=10**9), "/ttl_days"),
        (MemoryRules(pii_entities=("EMAIL", "NOSE")), "/pii_entities/1"),
        (MemoryRules(pii_scrubbing=False, compliance_mode="hipaa"), "/pii_scrubbing"),
    ],
)
def test_unusable_rules_are_refused_by_name(rules: MemoryRules, pointer: str) -> None:
    given(MemoryPolicy).when(lambda policy: policy.set(None, rules, NOW, KNOWN)).then_unusable(pointer)


def test_every_event_type_of_a_memory_begins_with_its_context() -> None:
    assert all(cls.TYPE.startswith("memory.") for cls in EVENTS)
