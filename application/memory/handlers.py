"""Memory's use cases: load, decide, save."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from application.bus import Command, Work
from application.memory.answers import (
    MemoriesAnswer,
    MemoryAnswer,
    MemoryGone,
    MemoryPolicyAnswer,
    Outcome,
    memory_answer,
)
from application.memory.commands import AddMemories, DeleteMemory, SetMemoryPolicy, UpdateMemory
from application.memory.ports import MemoryPorts
from application.memory.writing import added, changed, merged, subject_of
from application.ports import NewEvent
from domain.kernel.errors import NotFound
from domain.memory.events import MemoryDeleted, Remembered
from domain.memory.memory import Memory, memory_of, memory_stream
from domain.memory.memory_policy import DEFAULT_ENTITY, MemoryPolicy
from domain.memory.policy import MemoryRules

WRITERS = ("admin", "operator", "service")
GOVERNORS = ("admin", "operator")


async def add_memories(command: AddMemories, work: Work, ports: MemoryPorts) -> MemoriesAnswer:
    """Remember several things, all or none. Raises Forbidden, InvalidInput, PiiDetectionFailed."""
    work.caller.require(*WRITERS)
    answers: list[MemoryAnswer] = []
    facts: list[NewEvent] = []
    twins = await _twins(command, work, ports) if command.merge_duplicates else {}
    for number in range(len(command.items)):
        twin = await find_memory(work, twins[number]) if number in twins else None
        if twin is not None:
            made, version = await merged(command, number, twin, work, ports), twin.version
        else:
            made, version = await added(command, number, work, ports), 0
        _require_free(work, made.event, ports)
        facts.append(NewEvent(memory_stream(work.caller.tenant, made.event.memory_id), made.event, version))
        policy = ports.policies(work.caller.tenant).of(made.event.category)
        outcome: Outcome = "added" if twin is None else "merged"
        answers.append(memory_answer(made.event, made.content, made.details, policy.ttl_days, outcome))
    await work.save(facts=tuple(facts))
    return MemoriesAnswer(items=tuple(answers))


async def update_memory(command: UpdateMemory, work: Work, ports: MemoryPorts) -> MemoryAnswer:
    """Change a memory. Raises Forbidden, NotFound, InvalidInput, PiiDetectionFailed."""
    work.caller.require(*WRITERS)
    memory = await _existing(work, command.memory_id)
    policy = ports.policies(work.caller.tenant).of(memory.state.category)
    if command.content is UNSET and command.metadata is UNSET and command.ttl_days is UNSET:
        state = memory.state
        return memory_answer(state, memory.content, memory.details, policy.ttl_days, "updated")
    made = await changed(command, memory, work, ports)
    _require_free(work, made.event, ports)
    stream = memory_stream(work.caller.tenant, command.memory_id)
    await work.save(facts=(NewEvent(stream, made.event, memory.version),))
    return memory_answer(made.event, made.content, made.details, policy.ttl_days, "updated")


async def delete_memory(command: DeleteMemory, work: Work, _ports: MemoryPorts) -> MemoryGone:
    """Take a memory out of every reading. Raises Forbidden, NotFound."""
    work.caller.require(*WRITERS)
    memory = await _existing(work, command.memory_id)
    event = MemoryDeleted(
        memory_id=command.memory_id,
        subject=memory.state.subject,
        category=memory.state.category,
        occurred_at=memory.state.occurred_at,
        deleted_at=work.at,
    )
    stream = memory_stream(work.caller.tenant, command.memory_id)
    await work.save(facts=(NewEvent(stream, event, memory.version),))
    return MemoryGone(id=command.memory_id, memory_id=command.memory_id)


async def set_memory_policy(command: SetMemoryPolicy, work: Work, ports: MemoryPorts) -> MemoryPolicyAnswer:
    """Set the rules of a category, or the default ones. Raises Forbidden, InvalidInput."""
    work.caller.require(*GOVERNORS)
    policy = await work.load(MemoryPolicy, command.category or DEFAULT_ENTITY)
    rules = msgspec.convert(command, MemoryRules, from_attributes=True)
    policy.set(command.category, rules, work.at, ports.entities)
    await work.save(policy)
    if work.duplicate:
        policy = await work.load(MemoryPolicy, command.category or DEFAULT_ENTITY)
    book = ports.policies(work.caller.tenant).set(command.category, rules)
    return MemoryPolicyAnswer.of(
        command.category,
        policy.number,
        rules,
        book.elsewhere() if command.category is None else book.of(command.category),
        set_by=work.caller.actor,
        set_at=policy.set_at or work.at,
    )


def _require_free(work: Work, event: Remembered, ports: MemoryPorts) -> None:
    ports.require_free(work.caller.tenant, event.subject, event.category, event.occurred_at)


async def find_memory(work: Work, memory_id: str) -> Memory | None:
    """Return a memory of the caller's tenant as its stream tells it, None when there is none."""
    return memory_of(await work.stream(memory_stream(work.caller.tenant, memory_id)))


async def _existing(work: Work, memory_id: str) -> Memory:
    memory = await find_memory(work, memory_id)
    if memory is None:
        raise NotFound("there is no such memory")
    return memory


async def _twins(command: AddMemories, work: Work, ports: MemoryPorts) -> dict[int, str]:
    """Return which items say what a memory of the same person and category says already."""
    places: dict[tuple[str, str], list[int]] = {}
    for number, item in enumerate(command.items):
        subject = subject_of(item, "", work, ports)
        if subject:
            places.setdefault((subject, item.category), []).append(number)
    found: dict[int, str] = {}
    for (subject, category), numbers in places.items():
        texts = [command.items[number].content for number in numbers]
        twins = await ports.duplicates(work.caller.tenant, subject, category, texts)
        found |= {numbers[index]: memory_id for index, memory_id in twins.items()}
    return found


HANDLERS: Mapping[type[Command], Callable[[Any, Work, MemoryPorts], Awaitable[Any]]] = {
    AddMemories: add_memories,
    UpdateMemory: update_memory,
    DeleteMemory: delete_memory,
    SetMemoryPolicy: set_memory_policy,
}
