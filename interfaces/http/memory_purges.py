"""Purges: asking for one, approving it, following it, and its certificate."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar import Response, Router
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter

from application.memory.erasure_commands import ApprovePurge, RejectPurge, RequestPurge
from application.memory.erasure_handlers import WRITERS, selection_of
from domain.kernel.errors import Conflict, Forbidden, NotFound
from domain.memory.certificate import Certificate
from interfaces.http.memory_access import operation
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Limit
from interfaces.http.request import ApiRequest
from interfaces.http.routing import ADMIN, READERS, create, read, remove
from interfaces.http.writes import HEADER
from projections.memory import erasure_queries
from projections.memory.erasure_queries import PurgeView

PREFIX: Final = "/api/ai-advanced"
PATIENCE_S: Final = 20.0
"""How long the answer waits for a purge to be completed; one that takes longer is followed by GET."""
Id = Annotated[str, PathParameter(name="purge_id", max_length=64, description="The purge's id.")]


class PurgeWritten(msgspec.Struct, frozen=True, kw_only=True):
    """Where a purge stands. `erased` counts items by store; a dry run has no `purge_id` and erased nothing.

    `status` is `completed`, `running`, `awaiting_approval`, `rejected` or `dry_run`.
    """

    purge_id: str | None
    status: str
    erased: dict[str, int]
    certificate_url: str | None
    position: int


ACCEPTED: Final = {
    202: ResponseSpec(PurgeWritten, generate_examples=False, description="Under way, or waiting for approval")
}


@remove(
    "/memory/purge",
    roles=WRITERS,
    responses=ACCEPTED,
    summary="Erase memories, requests and what was derived from them",
    operation_id="purgeMemory",
)
async def purge(request: ApiRequest, data: JSONBody[RequestPurge]) -> Response[PurgeWritten]:
    """Erase what meets every selector, provably, from every store; 202 when it takes more than 20 seconds."""
    if data.dry_run:
        return await _dry_run(request, data)
    try:
        outcome = await request.dispatch(data)
    except Conflict:
        await _refused(request, data)
        raise
    return await _answer(request, outcome.result.purge_id, outcome.position)


@create(
    "/memory/purges/{purge_id:str}/approve",
    roles=(ADMIN,),
    fails=(404,),
    status_code=200,
    responses=ACCEPTED,
    summary="Approve a purge",
    operation_id="approvePurge",
)
async def approve(request: ApiRequest, purge_id: Id) -> Response[PurgeWritten]:
    """Let a purge begin that somebody else asked for."""
    outcome = await request.dispatch(ApprovePurge(purge_id=purge_id))
    return await _answer(request, purge_id, outcome.position)


@create(
    "/memory/purges/{purge_id:str}/reject",
    roles=(ADMIN,),
    fails=(404,),
    status_code=200,
    summary="Reject a purge",
    operation_id="rejectPurge",
)
async def reject(request: ApiRequest, purge_id: Id) -> Response[PurgeWritten]:
    """Refuse a purge that waits for an approval, or take one's own back: it never begins."""
    outcome = await request.dispatch(RejectPurge(purge_id=purge_id))
    body = PurgeWritten(
        purge_id=purge_id,
        status=outcome.result.status,
        erased={},
        certificate_url=None,
        position=outcome.position,
    )
    return Response(body, headers={HEADER: str(outcome.position)})


@read("/memory/purges", roles=READERS, summary="List purges", operation_id="listPurges")
async def list_purges(request: ApiRequest, limit: Limit = 50, cursor: Cursor = None) -> Page[PurgeView]:
    """List purges, newest first."""
    before = int(place_of(cursor, "purges", int)[0]) if cursor else None
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = await erasure_queries.list_purges(conn, limit=limit + 1, before=before)
    return Page.of(found, limit, lambda last: cursor_of("purges", last.position))


@read(
    "/memory/purges/{purge_id:str}",
    roles=READERS,
    fails=(404,),
    summary="Read a purge",
    operation_id="getPurge",
)
async def get_purge(request: ApiRequest, purge_id: Id) -> PurgeView:
    """Return what was asked for and how far it is."""
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = await erasure_queries.get_purge(conn, purge_id)
    if found is None:
        raise NotFound(f"there is no purge '{purge_id}'")
    return found


@read(
    "/memory/purges/{purge_id:str}/certificate",
    roles=READERS,
    fails=(404,),
    summary="Read a purge's certificate",
    operation_id="getPurgeCertificate",
)
async def get_certificate(request: ApiRequest, purge_id: Id) -> Response[Certificate]:
    """Return the signed certificate; `aios audit certificate verify` checks it without this server."""
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = await erasure_queries.get_certificate(conn, purge_id)
    if found is None:
        raise NotFound(f"there is no certificate of a purge '{purge_id}'; one is issued when it is completed")
    as_it_was_signed: Any = dict(found)
    return Response(as_it_was_signed)


async def _dry_run(request: ApiRequest, data: RequestPurge) -> Response[PurgeWritten]:
    request.caller.require(*WRITERS)
    if request.caller.workspace is not None:
        raise Forbidden("this key is bound to a workspace; erasure is for keys of the whole tenant")
    governance = request.services.governance
    selection = selection_of(data, request.caller.tenant, governance.ports)
    await request.services.read_barrier()
    counts = await governance.preview(request.caller.tenant, selection)
    body = PurgeWritten(purge_id=None, status="dry_run", erased=counts, certificate_url=None, position=0)
    return Response(body, status_code=200)


async def _refused(request: ApiRequest, data: RequestPurge) -> None:
    line = await operation(
        request,
        "purge",
        subject_id=data.subject_id,
        category=data.category,
        outcome="409",
        purpose=data.reason,
    )
    await request.services.governance.access.write(request.caller.tenant, line)


async def _answer(request: ApiRequest, purge_id: str, position: int) -> Response[PurgeWritten]:
    """Wait for a purge that has begun, bounded, and say where it stands."""
    governance, tenant = request.services.governance, request.caller.tenant
    found = await governance.purge(tenant, purge_id)
    if found.status == "running":
        await governance.directory.freed(tenant, purge_id, PATIENCE_S)
        found = await governance.purge(tenant, purge_id)
    done = found.completed
    body = PurgeWritten(
        purge_id=purge_id,
        status=found.status,
        erased=dict(done.erased) if done else found.found(),
        certificate_url=f"{PREFIX}/memory/purges/{purge_id}/certificate" if done else None,
        position=position,
    )
    return Response(body, status_code=200 if done else 202, headers={HEADER: str(position)})


router = Router(
    "/", route_handlers=[purge, approve, reject, list_purges, get_purge, get_certificate], tags=["memory"]
)
