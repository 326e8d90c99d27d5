"""Memories: adding, reading, searching, changing, deleting."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, cast

import msgspec
from litestar import Response, Router
from litestar.params import JSONBody, PathParameter, QueryParameter

from application.bus import Outcome
from application.memory import commands
from application.memory.answers import MemoryAnswer, MemoryGone
from application.memory.commands import (
    MOST_ITEMS,
    AddMemories,
    Content,
    Days,
    DeleteMemory,
    MemoryInput,
    UpdateMemory,
)
from application.memory.handlers import WRITERS
from application.memory.searching import MemorySearch
from application.processes.memory_extraction import MOST_MESSAGES, Conversation, Message
from domain.kernel.errors import Gone, InvalidInput, NotFound
from domain.memory.memory_check import LONGEST_ID
from interfaces.http.memory_access import noted, noted_added
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, From, Limit, To, period
from interfaces.http.request import ApiRequest
from interfaces.http.routing import AUDITOR, USERS, change, create, read, remove
from interfaces.http.writes import HEADER, written
from projections.memory.answers import MemoryView, SearchResult
from projections.memory.erasure_queries import erased_by
from projections.memory.queries import get_memory, list_memories
from projections.memory.visible import MemoryFilters

Messages = Annotated[tuple[Message, ...], msgspec.Meta(min_length=1, max_length=MOST_MESSAGES)]
Id = Annotated[str, PathParameter(name="memory_id", max_length=64, description="The memory's id.")]


def _filter(name: str, what: str) -> QueryParameter:
    return QueryParameter(name=name, min_length=1, max_length=LONGEST_ID, description=what)


Category = Annotated[str | None, _filter("category", "Only memories of this category.")]
Subject = Annotated[str | None, _filter("subject_id", "Only memories about this person.")]
User = Annotated[str | None, _filter("user_id", "Only memories of this user.")]
Agent = Annotated[str | None, _filter("agent_id", "Only memories of this agent.")]
SessionId = Annotated[str | None, _filter("session_id", "Only memories of this session.")]


class MemoryWritten(MemoryAnswer, frozen=True, kw_only=True):
    """The memory as it is now, and the position of its event."""

    position: int


class NewMemory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to remember: `content` as it is, or `messages` of which a model extracts the facts.

    `subject_id`, else `user_id`, is the person whose data it is. `occurred_at` (ISO 8601; now when left off)
    is when it happened and starts the time to live; the shorter of `ttl_days` and the policy's counts.
    """

    content: Content | None = None
    messages: Annotated[tuple[Message, ...], msgspec.Meta(min_length=1, max_length=MOST_MESSAGES)] | None = (
        None
    )
    category: commands.Category = commands.DEFAULT_CATEGORY
    subject_id: commands.ExternalId | None = None
    user_id: commands.ExternalId | None = None
    agent_id: commands.ExternalId | None = None
    session_id: commands.ExternalId | None = None
    metadata: dict[str, Any] = {}
    occurred_at: commands.Time | None = None
    ttl_days: Days | None = None


class MemoriesExtracted(msgspec.Struct, frozen=True, kw_only=True):
    """What was remembered of a conversation, which may be nothing; `request_id` is the model's request."""

    items: tuple[MemoryAnswer, ...]
    request_id: str
    position: int


class MemoriesWritten(msgspec.Struct, frozen=True, kw_only=True):
    """The memories in the order in which they were given, and the position of the last event."""

    items: tuple[MemoryAnswer, ...]
    position: int


class MemoryRemoved(MemoryGone, frozen=True, kw_only=True):
    """The id of a memory that was deleted."""

    position: int


class MemoryChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change; what is left off stays. `ttl_days` null removes the memory's own time to live."""

    content: Content | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, object] | msgspec.UnsetType = msgspec.UNSET
    ttl_days: Days | msgspec.UnsetType | None = msgspec.UNSET


class MemoryBatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several things to remember: all of them are stored, or none."""

    items: Annotated[tuple[MemoryInput, ...], msgspec.Meta(min_length=1, max_length=MOST_ITEMS)]
    merge_duplicates: bool = False


@create("/memory", roles=WRITERS, fails=(429,), summary="Remember something", operation_id="addMemory")
async def add_memory(
    request: ApiRequest, data: JSONBody[NewMemory]
) -> Response[MemoryWritten | MemoriesExtracted]:
    """Store a text, or the facts of a conversation, scrubbed by the category's policy before anything else.

    Searches find it at once by its words and, as soon as it has its vector, by its meaning. Facts that are
    known already are merged; the model's request is metered like any other.
    """
    if (data.content is None) == (data.messages is None):
        raise InvalidInput.at("/content", "give either `content` or `messages`")
    shared = {name: getattr(data, name) for name in _SHARED}
    if data.messages is not None:
        outcome = await request.services.memory.remember(
            Conversation(messages=data.messages, **shared), request.caller
        )
        items = outcome.result.items if outcome.result else ()
        await noted_added(request, data.subject_id or data.user_id, data.category, len(items))
        extracted = MemoriesExtracted(
            items=items, request_id=request.caller.correlation, position=outcome.position
        )
        return Response(extracted, headers={HEADER: str(outcome.position)})
    added = MemoryInput(content=data.content or "", **shared)
    outcome = await request.dispatch(AddMemories(items=(added,), at=""))
    await noted_added(request, added.subject_id or added.user_id, added.category)
    made = written(MemoryWritten, Outcome(outcome.result.items[0], outcome.position))
    return cast("Response[MemoryWritten | MemoriesExtracted]", made)


@create("/memory/batch", roles=WRITERS, summary="Remember several things", operation_id="addMemories")
async def add_memories(request: ApiRequest, data: JSONBody[MemoryBatch]) -> Response[MemoriesWritten]:
    """Store up to 100 texts, all or none."""
    command = AddMemories(items=data.items, merge_duplicates=data.merge_duplicates)
    outcome = await request.dispatch(command)
    for item in data.items:
        await noted_added(request, item.subject_id or item.user_id, item.category)
    return written(MemoriesWritten, outcome)


@create(
    "/memory/search",
    roles=USERS,
    status_code=200,
    summary="Search memories",
    operation_id="searchMemories",
)
async def search_memories(request: ApiRequest, data: JSONBody[MemorySearch]) -> SearchResult:
    """Find memories by meaning and by words, fused by reciprocal rank; the best first, scores from 0 to 1."""
    found = await request.services.memory.search(request.caller.tenant, data)
    about = data.filters.subject_id if data.filters else None
    await noted(request, "search", subject_id=about, counts={"found": len(found.items)})
    return found


@read("/memory", roles=USERS, summary="List memories", operation_id="listMemories")
async def get_memories(
    request: ApiRequest,
    category: Category = None,
    subject_id: Subject = None,
    user_id: User = None,
    agent_id: Agent = None,
    session_id: SessionId = None,
    since: From = None,
    until: To = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[MemoryView]:
    """List memories, newest first by `occurred_at`; `from` and `to` bound it, half-open."""
    start, end = period(since, until)
    filters = MemoryFilters(
        categories=(category,) if category else (),
        subject_id=subject_id,
        user_id=user_id,
        agent_id=agent_id,
        session_id=session_id,
        since=start,
        until=end,
    )
    after = None if cursor is None else _place(cursor)
    memory = request.services.memory
    await memory.fresh()
    async with request.reading() as conn:
        found = await list_memories(
            conn,
            filters,
            memory.book(request.caller.tenant),
            request.services.clock(),
            limit=limit + 1,
            after=after,
        )
    page = Page.of(found, limit, _cursor)
    await noted(request, "list", subject_id=subject_id, category=category, counts={"found": len(page.items)})
    return page


@read(
    "/memory/{memory_id:str}",
    roles=USERS,
    fails=(404, 410),
    summary="Read a memory",
    operation_id="getMemory",
)
async def get_one(request: ApiRequest, memory_id: Id) -> MemoryView:
    """Return a memory; 404 when there is none, or when it has ended."""
    memory = request.services.memory
    await memory.fresh()
    async with request.reading() as conn:
        book = memory.book(request.caller.tenant)
        found = await get_memory(conn, memory_id, book, request.services.clock())
        purge_id = None if found is not None else await erased_by(conn, memory_id)
    if purge_id is not None and AUDITOR in request.caller.roles:
        raise Gone(f"this memory was erased by purge {purge_id}", purge_id)
    if found is None:
        raise NotFound("there is no such memory")
    about = found.subject_id or found.user_id
    await noted(request, "read", subject_id=about, category=found.category, target=memory_id)
    return found


@change(
    "/memory/{memory_id:str}",
    roles=WRITERS,
    fails=(404,),
    summary="Change a memory",
    operation_id="updateMemory",
)
async def update_memory(
    request: ApiRequest, memory_id: Id, data: JSONBody[MemoryChange]
) -> Response[MemoryWritten]:
    """Replace content, metadata or time to live; it is scrubbed again by the rules of now."""
    command = UpdateMemory(
        memory_id=memory_id, content=data.content, metadata=data.metadata, ttl_days=data.ttl_days
    )
    outcome = await request.dispatch(command)
    await noted(request, "update", target=memory_id)
    return written(MemoryWritten, outcome)


@remove(
    "/memory/{memory_id:str}",
    roles=WRITERS,
    fails=(404,),
    summary="Delete a memory",
    operation_id="deleteMemory",
)
async def delete_memory(request: ApiRequest, memory_id: Id) -> Response[MemoryRemoved]:
    """Take a memory out of every reading. To destroy what is known of a person, purge."""
    outcome = await request.dispatch(DeleteMemory(memory_id=memory_id))
    await noted(request, "delete", target=memory_id)
    return written(MemoryRemoved, outcome)


_SHARED = tuple(name for name in MemoryInput.__struct_fields__ if name != "content")


def _cursor(view: MemoryView) -> str:
    return cursor_of("memories", view.occurred_at.astimezone(UTC).isoformat(), view.memory_id)


def _place(cursor: str) -> tuple[datetime, str]:
    occurred_at, memory_id = place_of(cursor, "memories", str, str)
    try:
        return datetime.fromisoformat(str(occurred_at)), str(memory_id)
    except ValueError:
        raise InvalidInput.at(
            "/cursor", "this is no cursor of this list; leave it out to start anew"
        ) from None


router = Router(
    "/",
    route_handlers=[
        add_memory,
        add_memories,
        search_memories,
        get_memories,
        get_one,
        update_memory,
        delete_memory,
    ],
    tags=["memory"],
)
