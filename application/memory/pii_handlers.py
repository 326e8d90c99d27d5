"""Use cases about personal data in texts: find it, take it out, turn pseudonyms back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from application.bus import Command, Work
from application.memory.pii import PiiScrubbing, PseudonymOwner, ScrubRules, beside_the_loop
from application.memory.pii_commands import (
    REVEALERS,
    SEARCHERS,
    DetectPii,
    PiiFound,
    RevealPseudonyms,
    ScrubText,
    TextRevealed,
    TextScrubbed,
)
from application.memory.pseudonyms import sealing
from application.ports import NewEvent
from domain.kernel.aggregate import stream_id
from domain.kernel.errors import InvalidInput
from domain.kernel.pii import STANDARD_TYPES, PiiType, ScrubMode
from domain.memory.pii.detector import DETECTOR_VERSION
from domain.memory.pii.scrubbing import restore, tokens_in
from domain.memory.pseudonym_events import PseudonymsRevealed

MOST_TOKENS = 500


class Original(msgspec.Struct, frozen=True):
    """What a pseudonym stands for, None once it is erased, and the text it was made for."""

    value: str | None
    source: str


class Originals(Protocol):
    """Opens sealed originals by their tokens, as new as every text stored before; unknown are left out."""

    async def __call__(self, tenant: str, tokens: Sequence[str]) -> Mapping[str, Original]: ...


@dataclass(frozen=True)
class PiiPorts:
    """What the handlers get beside the unit of work; `reference` is the pseudonym of a person in the log."""

    scrubbing: PiiScrubbing
    reference: Callable[[str, str], str]
    originals: Originals


async def detect(command: DetectPii, work: Work, ports: PiiPorts) -> PiiFound:
    """Find personal data. Raises Forbidden, PiiDetectionFailed."""
    work.caller.require(*SEARCHERS)
    detector = ports.scrubbing.detector(_kinds(command.entities))
    spans = await beside_the_loop(len(command.text), lambda: detector.detect(command.text))
    counts = Counter(str(span.type) for span in spans)
    return PiiFound(spans=spans, counts=dict(sorted(counts.items())), detector_version=DETECTOR_VERSION)


async def scrub(command: ScrubText, work: Work, ports: PiiPorts) -> TextScrubbed:
    """Take personal data out. Raises Forbidden, InvalidInput, PiiDetectionFailed."""
    work.caller.require(*SEARCHERS)
    rules = ScrubRules(mode=command.mode, entities=_kinds(command.entities))
    owner = _owner(command, work, ports)
    clean = await ports.scrubbing.scrub(command.text, rules, owner)
    if owner is not None:
        source = f"scrub/{work.caller.correlation}"
        await work.save(facts=sealing(owner, source, clean.pseudonyms, work.at))
    counts = {str(kind): count for kind, count in sorted(clean.counts.items())}
    return TextScrubbed(text=clean.value, counts=counts, detector_version=clean.detector_version)


async def reveal(command: RevealPseudonyms, work: Work, ports: PiiPorts) -> TextRevealed:
    """Turn pseudonyms back, once it is recorded. Raises Forbidden, InvalidInput."""
    work.caller.require(*REVEALERS)
    tokens = tokens_in(command.text)
    if len(tokens) > MOST_TOKENS:
        raise InvalidInput.at("/text", f"at most {MOST_TOKENS} pseudonyms at once, not {len(tokens)}")
    found = await ports.originals(work.caller.tenant, tokens) if tokens else {}
    values = {token: original.value for token, original in found.items() if original.value is not None}
    event = PseudonymsRevealed(
        purpose=command.purpose,
        revealed_at=work.at,
        asked=len(tokens),
        revealed=len(values),
        sources=tuple(sorted({found[token].source for token in values})),
    )
    stream = stream_id(work.caller.tenant, "pseudonyms", f"{work.at:%Y-%m}")
    await work.save(facts=(NewEvent(stream, event),))
    return TextRevealed(
        text=restore(command.text, values),
        revealed=len(values),
        erased=len(found) - len(values),
        unknown=len(tokens) - len(found),
    )


def _kinds(entities: Sequence[PiiType] | None) -> frozenset[PiiType]:
    return STANDARD_TYPES if entities is None else frozenset(entities)


def _owner(command: ScrubText, work: Work, ports: PiiPorts) -> PseudonymOwner | None:
    if command.mode is not ScrubMode.PSEUDONYM:
        return None
    if command.subject_id is None:
        detail = "mode pseudonym needs the person whose data key seals the originals; name one"
        raise InvalidInput.at("/subject_id", detail)
    tenant = work.caller.tenant
    return PseudonymOwner(tenant, ports.reference(tenant, command.subject_id), command.category)


HANDLERS: Mapping[type[Command], Callable[[Any, Work, PiiPorts], Awaitable[Any]]] = {
    DetectPii: detect,
    ScrubText: scrub,
    RevealPseudonyms: reveal,
}
