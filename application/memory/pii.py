"""Scrubs what is about to be stored, embedded, logged or sent: one port for every writer of texts.

    rules = ScrubRules.of(ScrubMode.PLACEHOLDER, ["EMAIL", "PHONE"])
    clean = await scrubbing.scrub({"content": text, "metadata": metadata}, rules)

A failure of the detector raises PiiDetectionFailed: then nothing may be stored or sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, Protocol, TypeVar

import msgspec

from application.memory.pii_values import scrub_value
from domain.kernel.errors import FieldError, InvalidInput
from domain.kernel.pii import STANDARD_TYPES, PiiType, ScrubMode
from domain.memory.pii.detector import DETECTOR_VERSION, Detector
from domain.memory.pii.phones import PhonePlans
from domain.memory.pii.scrubbing import KeyedFunction, Replacements

T = TypeVar("T")
LARGE: Final = 20_000
"""Texts of more characters are searched beside the event loop."""


class ScrubRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy asks for: which kinds are taken out, and what stands in their place."""

    mode: ScrubMode = ScrubMode.PLACEHOLDER
    entities: frozenset[PiiType] = STANDARD_TYPES

    @classmethod
    def of(cls, mode: ScrubMode, entities: Sequence[str] | None, at: str = "/pii_entities") -> ScrubRules:
        """Return rules for kinds by name, None for the standard ones; InvalidInput names each unknown one."""
        if entities is None:
            return cls(mode=mode)
        return cls(mode=mode, entities=pii_types(entities, at))


class PseudonymOwner(msgspec.Struct, frozen=True):
    """Whose data key makes and seals pseudonyms: erasing it makes them irreversible.

    `moment` is the time that the text is about, whose month the key is of; None: now.
    """

    tenant: str
    subject: str
    category: str = "general"
    moment: datetime | None = None


class ScrubbedValue(msgspec.Struct, frozen=True, kw_only=True):
    """A text, or a JSON value with texts in it, without personal data.

    `pseudonyms` (token to original) is personal data: keep it only sealed, see `pii_pseudonyms`.
    """

    value: Any
    counts: dict[PiiType, int]
    pseudonyms: dict[str, str] = {}
    detector_version: int = DETECTOR_VERSION


class PseudonymKeys(Protocol):
    """Keyed functions from data keys."""

    async def keyed(self, owner: PseudonymOwner) -> KeyedFunction:
        """Return a pseudo-random function under a data key of the owner; raises Unavailable."""
        ...


class Scrubbing(Protocol):
    """What writers of texts need; `PiiScrubbing` is the one implementation."""

    async def scrub(
        self, value: Any, rules: ScrubRules, owner: PseudonymOwner | None = None
    ) -> ScrubbedValue:
        """Return a text or JSON value without personal data, in keys, strings and numbers alike.

        Placeholders and pseudonyms are consistent inside one call. `owner` is needed for mode pseudonym.
        Raises PiiDetectionFailed, and InvalidInput for a value that is nested too deep.
        """
        ...


class PiiScrubbing:
    """Scrubs with one detector for each set of kinds."""

    def __init__(self, plans: PhonePlans, keys: PseudonymKeys | None = None) -> None:
        self._keys = keys
        self._detector = cache(lambda entities: Detector(plans, entities))

    def detector(self, entities: frozenset[PiiType]) -> Detector:
        """Return the detector of these kinds."""
        found: Detector = self._detector(entities)
        return found

    async def scrub(
        self, value: Any, rules: ScrubRules, owner: PseudonymOwner | None = None
    ) -> ScrubbedValue:
        """See `Scrubbing`."""
        replacements = Replacements(rules.mode, await self.keyed(rules, owner))
        detector = self.detector(rules.entities)
        clean = await beside_the_loop(_size(value), lambda: scrub_value(value, detector, replacements))
        return ScrubbedValue(value=clean, counts=replacements.counts, pseudonyms=replacements.pseudonyms)

    async def keyed(self, rules: ScrubRules, owner: PseudonymOwner | None) -> KeyedFunction | None:
        """Return what makes tokens, None when the mode needs none."""
        if rules.mode is not ScrubMode.PSEUDONYM or self._keys is None or owner is None:
            return None
        return await self._keys.keyed(owner)


async def beside_the_loop(size: int, work: Callable[[], T]) -> T:
    """Do work on `size` characters: in a thread when there are many, so that other requests go on."""
    return await asyncio.to_thread(work) if size > LARGE else work()


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(repr(value))


def pii_types(names: Sequence[str], at: str) -> frozenset[PiiType]:
    """Return the kinds of these names. Raises InvalidInput that points at each name that is none."""
    known = ", ".join(PiiType)
    errors = [
        FieldError(f"{at}/{index}", f"'{name}' is no kind of personal data; use {known}")
        for index, name in enumerate(names)
        if name not in PiiType.__members__.values()
    ]
    if errors:
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)
    return frozenset(map(PiiType, names))
