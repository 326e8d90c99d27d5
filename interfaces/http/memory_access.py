"""Leaves a line in the audit log for each operation on memories: who, what, why, how many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from litestar.params import HeaderParameter

from domain.memory.access_events import Access, Action
from interfaces.http.request import ApiRequest

LONGEST_PURPOSE: Final = 200
HEADER: Final = "x-aios-purpose"
Purpose = Annotated[
    str | None,
    HeaderParameter(
        name=HEADER, max_length=LONGEST_PURPOSE, description="Why this is done, for the audit log."
    ),
]


async def operation(
    request: ApiRequest,
    action: Action,
    *,
    subject_id: str | None = None,
    category: str | None = None,
    target: str | None = None,
    outcome: str = "ok",
    purpose: str | None = None,
    counts: Mapping[str, int] | None = None,
) -> Access:
    """Return the line of an operation: a pseudonym for the person, and the purpose without personal data."""
    governance, caller = request.services.governance, request.caller
    why = purpose or request.headers.get(HEADER)
    return Access(
        at=request.services.clock(),
        action=action,
        actor=caller.actor,
        request_id=caller.correlation,
        outcome=outcome,
        subject=governance.reference(caller.tenant, subject_id) if subject_id else None,
        category=category,
        target=target,
        purpose=await governance.clean(why[:LONGEST_PURPOSE]) if why else None,
        counts=counts or {},
    )


async def noted(
    request: ApiRequest,
    action: Action,
    *,
    subject_id: str | None = None,
    category: str | None = None,
    target: str | None = None,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Note an operation; it is written within a tenth of a second, and before the process ends."""
    line = await operation(
        request, action, subject_id=subject_id, category=category, target=target, counts=counts
    )
    request.services.governance.access.note(request.caller.tenant, line)


async def noted_added(request: ApiRequest, person: str | None, category: str, count: int = 1) -> None:
    """Note that something was remembered about somebody."""
    await noted(request, "add", subject_id=person, category=category, counts={"added": count})
