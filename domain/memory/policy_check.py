"""The limits for new memory policies; each breach is named by its JSON pointer."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from domain.kernel.errors import FieldError, InvalidInput
from domain.memory.policy import SWITCHES, MemoryRules

CATEGORY = r"^[A-Za-z0-9][A-Za-z0-9 ._:-]{0,62}$"
LONGEST_TTL_DAYS = 36_500


def check_rules(rules: MemoryRules, known_entities: Collection[str]) -> None:
    """Raise InvalidInput that names every unusable field of a memory policy."""
    errors = list(_errors(rules, known_entities))
    if errors:
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)


def _errors(rules: MemoryRules, known_entities: Collection[str]) -> Iterator[FieldError]:
    if rules.ttl_days is not None and not 0 <= rules.ttl_days <= LONGEST_TTL_DAYS:
        yield FieldError("/ttl_days", f"give a number of days from 0 to {LONGEST_TTL_DAYS}, or null")
    for index, entity in enumerate(rules.pii_entities or ()):
        if entity not in known_entities:
            known = ", ".join(sorted(known_entities))
            yield FieldError(f"/pii_entities/{index}", f"'{entity}' is not known; use {known}")
    mode = rules.compliance_mode or "standard"
    if rules.pii_scrubbing is False and SWITCHES[mode].scrubbing:
        yield FieldError("/pii_scrubbing", f"compliance mode {mode} scrubs always; leave it true or off")
