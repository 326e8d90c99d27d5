"""The audit log of memory operations, the export of a person's data, and the keys that certificates carry."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Router
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import Meta

from application.memory.erasure_commands import ExternalId
from application.memory.pii_commands import REVEALERS
from domain.kernel.errors import Forbidden
from domain.memory.access_events import Action
from interfaces.http.export import started
from interfaces.http.idempotency import KEPT
from interfaces.http.memory_access import operation
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, From, Limit, To, period
from interfaces.http.request import ApiRequest
from interfaces.http.routing import ADMIN, AUDITOR, OPERATOR, READERS, create, read
from projections.memory import erasure_queries
from projections.memory.erasure_queries import AccessFilter, AccessView

OnlyAction = Annotated[
    Action | None, QueryParameter(name="action", description="Only operations of this kind.")
]
Actor = Annotated[
    str | None, QueryParameter(name="actor", max_length=200, description="Who did it: `key/<id>`.")
]
SubjectId = Annotated[
    str | None,
    QueryParameter(name="subject_id", max_length=256, description="Only operations about this person."),
]


class SubjectExportRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose data is wanted, and why."""

    subject_id: ExternalId
    purpose: Annotated[str, Meta(min_length=1, max_length=200)] | None = None

    def __repr__(self) -> str:
        return "SubjectExportRequest()"


class SubjectDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Everything held about a person: each list holds rows as they are stored.

    `pseudonyms` tells what those in the texts stand for; it is there for the role admin alone.
    """

    subject_id: str
    subject: str
    exported_at: datetime
    memories: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    texts_of_requests: list[dict[str, Any]]
    pseudonyms: list[dict[str, str]] | msgspec.UnsetType = msgspec.UNSET
    legal_holds: list[dict[str, Any]]
    purges: list[dict[str, Any]]
    operations: list[dict[str, Any]]


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that signs certificates; `public_key` is its 32 bytes in base64."""

    key_id: str
    algorithm: str
    public_key: str


class PublicKeys(msgspec.Struct, frozen=True):
    """Every key that signs certificates now."""

    items: list[PublicKey]


EXPORTED: Final = {
    200: ResponseSpec(SubjectDocument, generate_examples=False, description="The export, as it is read")
}


@read("/memory/audit-logs", roles=READERS, summary="Read the audit log", operation_id="listMemoryAuditLogs")
async def audit_logs(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    action: OnlyAction = None,
    actor: Actor = None,
    subject_id: SubjectId = None,
    since: From = None,
    until: To = None,
) -> Page[AccessView]:
    """List operations on memories, newest first: who, what, why and how many, never any content."""
    if request.caller.workspace is not None:
        raise Forbidden("this key is bound to a workspace; the audit log is for keys of the whole tenant")
    start, end = period(since, until)
    governance, tenant = request.services.governance, request.caller.tenant
    place = place_of(cursor, "accesses", int, int) if cursor else None
    wanted = AccessFilter(
        action=action,
        actor=actor,
        subject=governance.reference(tenant, subject_id) if subject_id else None,
        since=start,
        until=end,
    )
    await governance.access.flush()
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = await erasure_queries.list_accesses(
            conn, wanted, limit=limit + 1, before=(int(place[0]), int(place[1])) if place else None
        )
    return Page.of(found, limit, lambda last: cursor_of("accesses", last.position, last.number))


@create(
    "/memory/export",
    roles=(ADMIN, OPERATOR, AUDITOR),
    opt={KEPT: False},
    status_code=200,
    responses=EXPORTED,
    summary="Export a person's data",
    operation_id="exportSubject",
)
async def export(request: ApiRequest, data: JSONBody[SubjectExportRequest]) -> Stream:
    """Return everything that is held about a person as one JSON object, as it is read.

    For the role that may turn pseudonyms back (admin) it holds what they stand for: `pseudonyms`.
    """
    if request.caller.workspace is not None:
        raise Forbidden("this key is bound to a workspace; exports are for keys of the whole tenant")
    governance, tenant = request.services.governance, request.caller.tenant
    await request.services.read_barrier()
    counts = await governance.held(tenant, governance.reference(tenant, data.subject_id))
    line = await operation(request, "export", subject_id=data.subject_id, purpose=data.purpose, counts=counts)
    await governance.access.flush()
    await governance.access.write(tenant, line)
    await request.services.read_barrier()  # the export tells of itself
    reveals = bool(request.caller.roles & set(REVEALERS))
    chunks: Any = governance.export(tenant, data.subject_id, request.services.clock(), reveals=reveals)
    return Stream(await started(chunks), media_type="application/json")


@read("/audit/keys", roles=READERS, summary="Read the signing keys", operation_id="listSigningKeys")
async def signing_keys(request: ApiRequest) -> PublicKeys:
    """Return the public keys that certificates are signed with."""
    return PublicKeys([PublicKey(**key) for key in request.services.governance.public_keys])


router = Router("/", route_handlers=[audit_logs, export, signing_keys], tags=["memory"])
