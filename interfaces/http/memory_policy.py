"""Memory policies: how long memories of a category are kept and what is scrubbed from them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, Router
from litestar.params import JSONBody, QueryParameter

from application.memory.answers import MemoryPolicyAnswer
from application.memory.commands import SetMemoryPolicy
from domain.memory.policy import EffectivePolicy, PolicyBook
from domain.memory.policy_check import CATEGORY
from interfaces.http.memory_access import noted
from interfaces.http.request import ApiRequest
from interfaces.http.routing import OPERATORS, USERS, create, read
from interfaces.http.writes import written
from projections.memory.policy_queries import (
    MemoryPolicyVersion,
    list_memory_policies,
    memory_policy_history,
)

Category = Annotated[
    str | None, QueryParameter(name="category", pattern=CATEGORY, description="Only what holds for this one.")
]
MOST_VERSIONS = 100


class MemoryPolicyWritten(MemoryPolicyAnswer, frozen=True, kw_only=True):
    """The rules as they were set, and what holds now."""

    position: int


class MemoryPolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one category, or for all without rules of their own (`category` null).

    `policies` are all rules in force, `history` the versions of this category's, newest first.
    """

    category: str | None
    effective: EffectivePolicy
    policies: list[MemoryPolicyAnswer]
    history: list[MemoryPolicyAnswer]


@create(
    "/memory/policy",
    roles=OPERATORS,
    status_code=200,
    summary="Set a memory policy",
    operation_id="setMemoryPolicy",
)
async def set_policy(request: ApiRequest, data: JSONBody[SetMemoryPolicy]) -> Response[MemoryPolicyWritten]:
    """Set the rules of a category as a whole, or the default ones; they govern the next write and read.

    A shorter `ttl_days` applies to memories that are stored already.
    """
    outcome = await request.dispatch(data)
    await noted(request, "policy", category=data.category)
    return written(MemoryPolicyWritten, outcome)


@read("/memory/policy", roles=USERS, summary="Read memory policies", operation_id="getMemoryPolicy")
async def get_policy(request: ApiRequest, category: Category = None) -> MemoryPolicyView:
    """Return what holds for a category, all rules in force, and the versions of the category's own."""
    async with request.reading() as conn:
        versions = await list_memory_policies(conn)
        history = await memory_policy_history(conn, category, limit=MOST_VERSIONS)
    book = request.services.memory.book(request.caller.tenant)
    return MemoryPolicyView(
        category=category,
        effective=book.elsewhere() if category is None else book.of(category),
        policies=[_answer(version, book) for version in versions],
        history=[_answer(version, book) for version in history],
    )


def _answer(version: MemoryPolicyVersion, book: PolicyBook) -> MemoryPolicyAnswer:
    category = version.category
    return MemoryPolicyAnswer.of(
        category,
        version.version,
        version.rules,
        book.elsewhere() if category is None else book.of(category),
        set_by=version.set_by,
        set_at=version.set_at,
    )


router = Router("/", route_handlers=[set_policy, get_policy], tags=["memory"])
