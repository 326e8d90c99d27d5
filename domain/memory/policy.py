"""The rules for a tenant's memories, and what they come to for one category.

`MemoryRules` stand in events, so they carry no limits; `policy_check` holds the rules for new policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec

from domain.kernel.pii import PiiType, ScrubMode
from domain.memory.selection import Selection

ComplianceMode = Literal["standard", "gdpr", "hipaa", "strict"]
MODES: tuple[ComplianceMode, ...] = get_args(ComplianceMode)
STANDARD_ENTITIES: tuple[str, ...] = tuple(
    map(str, (PiiType.EMAIL, PiiType.PHONE, PiiType.SSN, PiiType.CREDIT_CARD))
)

ALL_ENTITIES: tuple[str, ...] = tuple(map(str, PiiType))


class MemoryRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was set for a category, or as the tenant's default; None leaves a field open."""

    ttl_days: int | None = None
    pii_scrubbing: bool | None = None
    pii_entities: tuple[str, ...] | None = None
    pii_mode: ScrubMode | None = None
    compliance_mode: ComplianceMode | None = None


class ModeSwitches(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly what a compliance mode switches on; docs/memory.md says the same in words.

    `entities` are scrubbed whatever the rules say, where `scrubbing` cannot be switched off; memories without
    a `ttl_days` get `default_ttl_days`; `confined` memories go to no third party: no remote embedding, no
    remote extraction, no mirror; with `irreversible` what was scrubbed is removed for good, whatever
    `pii_mode` says.
    """

    scrubbing: bool = False
    entities: tuple[str, ...] = STANDARD_ENTITIES
    default_ttl_days: int | None = None
    confined: bool = False
    irreversible: bool = False


SWITCHES: Mapping[ComplianceMode, ModeSwitches] = {
    "standard": ModeSwitches(),
    "gdpr": ModeSwitches(
        scrubbing=True, entities=(*STANDARD_ENTITIES, "IBAN", "IP_ADDRESS"), default_ttl_days=1095
    ),
    "hipaa": ModeSwitches(scrubbing=True, entities=ALL_ENTITIES, default_ttl_days=2190, confined=True),
    "strict": ModeSwitches(
        scrubbing=True, entities=ALL_ENTITIES, default_ttl_days=90, confined=True, irreversible=True
    ),
}


class EffectivePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a category: nothing in it is open."""

    ttl_days: int | None = None
    pii_scrubbing: bool = True
    pii_entities: tuple[str, ...] = STANDARD_ENTITIES
    compliance_mode: ComplianceMode = "standard"
    pii_mode: ScrubMode = ScrubMode.PLACEHOLDER
    confined: bool = False


def effective(own: MemoryRules | None, default: MemoryRules | None) -> EffectivePolicy:
    """Return what holds where a category has its own rules, the tenant has default ones, or neither.

    A field of the category's rules wins; one it leaves open comes from the default, then from the mode.
    """
    rules = [each for each in (own, default) if each is not None]
    modes = [each.compliance_mode for each in rules if each.compliance_mode]
    mode: ComplianceMode = modes[0] if modes else "standard"
    switches = SWITCHES[mode]
    wanted = next((each.pii_scrubbing for each in rules if each.pii_scrubbing is not None), True)
    ttl = next((each.ttl_days for each in rules if each.ttl_days is not None), switches.default_ttl_days)
    replacement = next((each.pii_mode for each in rules if each.pii_mode), ScrubMode.PLACEHOLDER)
    asked = next((each.pii_entities for each in rules if each.pii_entities is not None), STANDARD_ENTITIES)
    return EffectivePolicy(
        ttl_days=ttl,
        pii_scrubbing=wanted or switches.scrubbing,
        pii_entities=_entities(asked, switches),
        compliance_mode=mode,
        confined=switches.confined,
        pii_mode=ScrubMode.REDACT if switches.irreversible else replacement,
    )


def _entities(asked: tuple[str, ...], switches: ModeSwitches) -> tuple[str, ...]:
    """Return what is asked for and what the mode demands; standard mode demands nothing of its own."""
    demanded = switches.entities if switches.scrubbing else ()
    return tuple(dict.fromkeys((*demanded, *asked)))


class PolicyBook(msgspec.Struct, frozen=True):
    """All rules of a tenant: by category, and the default for every other one.

    `erasing` are the selections that are being erased now: nobody sees or writes what they reach.
    """

    default: MemoryRules | None = None
    by_category: Mapping[str, MemoryRules] = {}
    erasing: tuple[Selection, ...] = ()

    def of(self, category: str) -> EffectivePolicy:
        """Return what holds for a category."""
        return effective(self.by_category.get(category), self.default)

    def elsewhere(self) -> EffectivePolicy:
        """Return what holds for every category without rules of its own."""
        return effective(None, self.default)

    def set(self, category: str | None, rules: MemoryRules) -> PolicyBook:
        """Return the book with one entry replaced."""
        if category is None:
            return PolicyBook(rules, self.by_category, self.erasing)
        return PolicyBook(self.default, {**self.by_category, category: rules}, self.erasing)


def expiry(occurred_at: datetime, own_ttl: int | None, policy_ttl: int | None) -> datetime | None:
    """Return when a memory ends: `occurred_at` plus the shorter ttl, to the second; None for never.

    It is over from that moment on. A ttl of 0 days ends at once.
    """
    days = min((ttl for ttl in (own_ttl, policy_ttl) if ttl is not None), default=None)
    if days is None:
        return None
    try:
        return occurred_at + timedelta(days=days)
    except OverflowError:
        return None
