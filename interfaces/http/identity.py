"""Tenants and API keys: founding, listing, making and revoking; a key is shown once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from litestar import Response, Router
from litestar.params import JSONBody, PathParameter, QueryParameter

from application.tenancy.answers import KeyMade, KeyStopped, TenantFounded
from application.tenancy.commands import CreateKey, CreateTenant, RevokeKey
from domain.kernel.errors import Forbidden, InvalidInput
from domain.kernel.names import TENANT_ID
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Limit
from interfaces.http.request import ApiRequest
from interfaces.http.routing import ADMIN, AUDITOR, PLATFORM, create, read, remove
from interfaces.http.writes import written
from projections.tenancy import queries
from projections.tenancy.queries import KeyView, TenantView

KeyId = Annotated[str, PathParameter(name="key_id", max_length=64, description="The key's id.")]
OtherTenant = Annotated[
    str | None,
    QueryParameter(name="tenant_id", pattern=TENANT_ID, description="Another tenant; for role platform."),
]


class TenantWritten(TenantFounded, frozen=True, kw_only=True):
    """A new tenant; `admin_key` is shown this once."""

    position: int


class KeyWritten(KeyMade, frozen=True, kw_only=True):
    """A new key; `key` is shown this once."""

    position: int


class KeyRevoked(KeyStopped, frozen=True, kw_only=True):
    """A key that works no more, on any process."""

    position: int


@create("/tenants", roles=(PLATFORM,), summary="Found a tenant", operation_id="createTenant")
async def create_tenant(request: ApiRequest, data: JSONBody[CreateTenant]) -> Response[TenantWritten]:
    """Found a tenant and make its first administrator's key, which is shown this once."""
    return written(TenantWritten, await request.dispatch(data))


@read("/tenants", roles=(PLATFORM,), summary="List tenants", operation_id="listTenants")
async def list_tenants(request: ApiRequest, limit: Limit = 50, cursor: Cursor = None) -> Page[TenantView]:
    """List the installation's tenants by id."""
    after = str(place_of(cursor, "tenants", str)[0]) if cursor else None
    async with request.reading() as conn:
        found = await queries.list_tenants(conn, limit=limit + 1, after=after)
    return Page.of(found, limit, lambda last: cursor_of("tenants", last.tenant_id))


@create("/keys", roles=(ADMIN, PLATFORM), fails=(404,), summary="Make an API key", operation_id="createKey")
async def create_key(request: ApiRequest, data: JSONBody[CreateKey]) -> Response[KeyWritten]:
    """Make a key with no more rights than one's own; the key is shown this once."""
    return written(KeyWritten, await request.dispatch(data))


@read("/keys", roles=(ADMIN, AUDITOR, PLATFORM), summary="List API keys", operation_id="listKeys")
async def list_keys(
    request: ApiRequest, limit: Limit = 50, cursor: Cursor = None, tenant: OtherTenant = None
) -> Page[KeyView]:
    """List the tenant's keys, newest first, without the keys themselves.

    A key bound to a workspace sees the keys of its workspace.
    """
    after = _key_place(cursor) if cursor else None
    async with request.services.reading(_tenant(request, tenant)) as conn:
        found = await queries.list_keys(conn, now=request.services.clock(), limit=limit + 1, after=after)
    page = Page.of(found, limit, lambda last: cursor_of("keys", last.created_at.isoformat(), last.key_id))
    own = request.caller.workspace
    return page if own is None else Page([k for k in page.items if k.workspace_id == own], page.next_cursor)


@remove(
    "/keys/{key_id:str}",
    roles=(ADMIN, PLATFORM),
    fails=(404,),
    summary="Revoke an API key",
    operation_id="revokeKey",
)
async def revoke_key(request: ApiRequest, key_id: KeyId, tenant: OtherTenant = None) -> Response[KeyRevoked]:
    """Stop a key at once on every process; its console sessions end with it. Repeating it is harmless."""
    return written(KeyRevoked, await request.dispatch(RevokeKey(key_id=key_id, tenant_id=tenant)))


def _tenant(request: ApiRequest, other: str | None) -> str:
    own = request.caller.tenant
    if other is None or other == own:
        return own
    if PLATFORM not in request.caller.roles:
        raise Forbidden("tenant_id names another tenant, which needs role platform; leave tenant_id off")
    return other


def _key_place(cursor: str) -> tuple[datetime, str]:
    created_at, key_id = place_of(cursor, "keys", str, str)
    try:
        return datetime.fromisoformat(str(created_at)), str(key_id)
    except ValueError as error:
        raise InvalidInput.at("/cursor", "this is no cursor of this list") from error


router = Router(
    "/", route_handlers=[create_tenant, list_tenants, create_key, list_keys, revoke_key], tags=["identity"]
)
