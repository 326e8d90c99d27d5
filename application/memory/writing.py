"""Makes the events of memories: checks them, scrubs them, and gives them their ids and data subjects."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from application.bus import Work
from application.memory.commands import AddMemories, MemoryInput, UpdateMemory
from application.memory.pii import PseudonymOwner, ScrubRules
from application.memory.ports import MemoryPorts
from domain.kernel.errors import InvalidInput
from domain.memory.events import MemoryAdded, MemoryDetails, MemoryUpdated, Remembered
from domain.memory.memory import Memory, record_subject
from domain.memory.memory_check import LARGEST_METADATA, check_memory, moment_of
from domain.memory.pii.scrubbing import of_text
from domain.memory.policy import EffectivePolicy

IDS = ("subject_id", "user_id", "agent_id", "session_id")
E = TypeVar("E", bound=Remembered)


class Made(msgspec.Struct, frozen=True):
    """An event with its content and details at hand."""

    event: Remembered
    content: str
    details: MemoryDetails


class _Clean(msgspec.Struct, frozen=True):
    content: str
    metadata: Mapping[str, Any]
    counts: Mapping[str, int]
    detector: int
    pseudonyms: Mapping[str, str]


async def added(command: AddMemories, number: int, work: Work, ports: MemoryPorts) -> Made:
    """Return the event of one new memory of a command."""
    item = command.items[number]
    pointer = f"{command.at}/{number}" if command.at else ""
    ids = {name: getattr(item, name) for name in IDS}
    check_memory(item.content, ids, item.metadata, item.ttl_days, pointer)
    occurred_at = moment_of(item.occurred_at, work.at, f"{pointer}/occurred_at")
    memory_id = memory_id_of(work.caller.tenant, work.caller.command_id, number)
    subject = subject_of(item, memory_id, work, ports)
    policy = ports.policies(work.caller.tenant).of(item.category)
    owner = PseudonymOwner(work.caller.tenant, subject, item.category, occurred_at)
    clean = await _scrubbed(item.content, item.metadata, policy, owner, ports, pointer)
    pseudonyms = _in_use({**command.pseudonyms, **clean.pseudonyms}, clean)
    details = MemoryDetails(**ids, metadata=clean.metadata, pseudonyms=pseudonyms)
    event = MemoryAdded(
        memory_id=memory_id,
        subject=subject,
        category=item.category,
        occurred_at=occurred_at,
        added_at=work.at,
        changed_at=work.at,
        ttl_days=item.ttl_days,
        origin="extracted" if command.request_id else "written",
        confined=policy.confined,
        scrubbed=clean.counts,
        detector=clean.detector,
        request_id=command.request_id,
        tokens=tuple(pseudonyms),
        content=clean.content,
        details=details,
    )
    return Made(event, clean.content, details)


async def merged(command: AddMemories, number: int, twin: Memory, work: Work, ports: MemoryPorts) -> Made:
    """Return the event that merges a duplicate: its words are the newer ones, metadata come together."""
    item = command.items[number]
    pointer = f"{command.at}/{number}" if command.at else ""
    metadata = {**twin.details.metadata, **item.metadata}
    check_memory(item.content, {}, metadata, item.ttl_days, pointer)
    policy = ports.policies(work.caller.tenant).of(item.category)
    owner = _owner(twin, work)
    clean = await _scrubbed(item.content, metadata, policy, owner, ports, pointer)
    ttl_days = twin.state.ttl_days if item.ttl_days is None else item.ttl_days
    clean = msgspec.structs.replace(clean, pseudonyms={**command.pseudonyms, **clean.pseudonyms})
    return _update(twin, clean, policy, work, ttl_days=ttl_days, change="merged")


async def changed(command: UpdateMemory, memory: Memory, work: Work, ports: MemoryPorts) -> Made:
    """Return the event of an edit; what stays is scrubbed again, by the rules of now."""
    content = memory.content if isinstance(command.content, msgspec.UnsetType) else command.content
    metadata: Mapping[str, Any] = memory.details.metadata
    if not isinstance(command.metadata, msgspec.UnsetType):
        metadata = command.metadata
    ttl_days = memory.state.ttl_days
    if not isinstance(command.ttl_days, msgspec.UnsetType):
        ttl_days = command.ttl_days
    check_memory(content, {}, metadata, ttl_days)
    policy = ports.policies(work.caller.tenant).of(memory.state.category)
    owner = _owner(memory, work)
    clean = await _scrubbed(content, metadata, policy, owner, ports, "")
    return _update(memory, clean, policy, work, ttl_days=ttl_days, change="edited")


def subject_of(item: MemoryInput, memory_id: str, work: Work, ports: MemoryPorts) -> str:
    """Return the data subject of a memory: the pseudonym of the person it names, else the memory itself."""
    person = item.subject_id or item.user_id
    if person:
        return ports.reference(work.caller.tenant, person)
    return record_subject(memory_id) if memory_id else ""


def memory_id_of(tenant: str, command_id: str, number: int) -> str:
    """Return the id of a command's memory: the same whenever the command is repeated."""
    digest = hashlib.sha256(f"{tenant}\0{command_id}\0{number}".encode()).digest()
    return "mem_" + base64.b32encode(digest[:15]).decode().lower()


def _update(memory: Memory, clean: _Clean, policy: EffectivePolicy, work: Work, **fields: Any) -> Made:
    pseudonyms = _in_use({**memory.details.pseudonyms, **clean.pseudonyms}, clean)
    details = msgspec.structs.replace(memory.details, metadata=clean.metadata, pseudonyms=pseudonyms)
    state = {name: getattr(memory.state, name) for name in Remembered.__struct_fields__}
    event = MemoryUpdated(
        **state
        | {
            "changed_at": work.at,
            "confined": policy.confined,
            "scrubbed": clean.counts or memory.state.scrubbed,
            "detector": clean.detector,
            "tokens": tuple(pseudonyms),
            "content": clean.content,
            "details": details,
            **fields,
        }
    )
    return Made(event, clean.content, details)


def _owner(memory: Memory, work: Work) -> PseudonymOwner:
    state = memory.state
    return PseudonymOwner(work.caller.tenant, state.subject, state.category, state.occurred_at)


def _in_use(pseudonyms: Mapping[str, str], clean: _Clean) -> dict[str, str]:
    """Return the pseudonyms that still stand in the memory: an edit takes an original out for good."""
    return of_text(pseudonyms, f"{clean.content}\n{msgspec.json.encode(clean.metadata).decode()}")


async def _scrubbed(
    content: str,
    metadata: Mapping[str, Any],
    policy: EffectivePolicy,
    owner: PseudonymOwner,
    ports: MemoryPorts,
    pointer: str,
) -> _Clean:
    """Return the texts as the policy wants them stored. Raises PiiDetectionFailed: then nothing is stored."""
    if len(msgspec.json.encode(metadata)) > LARGEST_METADATA:
        raise InvalidInput.at(f"{pointer}/metadata", f"larger than {LARGEST_METADATA} bytes of JSON")
    if not policy.pii_scrubbing:
        return _Clean(content, metadata, {}, 0, {})
    rules = ScrubRules.of(policy.pii_mode, policy.pii_entities)
    found = await ports.scrubbing.scrub([content, metadata], rules, owner)
    counts = {str(kind): count for kind, count in found.counts.items()}
    content, metadata = found.value
    return _Clean(content, metadata, counts, found.detector_version, found.pseudonyms)
