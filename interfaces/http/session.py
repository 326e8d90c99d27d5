"""Signing in to the console with an API key: the key is exchanged for a cookie that scripts cannot read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, Router, delete, post
from litestar.datastructures import Cookie
from litestar.params import JSONBody

from interfaces.http.request import ApiRequest
from interfaces.http.routing import EVERYBODY, OPEN, failures, read
from interfaces.http.same_origin import require_same_origin
from interfaces.http.sessions import COOKIE, LIFETIME, Session, seal

PUBLIC = {"public": True}


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An API key to be exchanged for a session."""

    api_key: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in, with which roles; `expires_at` only for sessions by cookie."""

    tenant: str
    key_id: str
    roles: list[str]
    workspace_id: str | None = None
    expires_at: datetime | None = None


@post(
    "/",
    opt=PUBLIC,
    security=OPEN,
    status_code=200,
    responses=failures(400, 401, 403, 408, 413, 415, 422, 503),
    summary="Sign in to the console",
    operation_id="signIn",
)
async def sign_in(request: ApiRequest, data: JSONBody[SignIn]) -> Response[SessionView]:
    """Set the console's cookie for eight hours; it ends at once when the key is revoked."""
    require_same_origin("POST", request.scope["headers"])
    principal = request.services.authenticate(data.api_key)
    expires_at = request.services.clock() + LIFETIME
    token = seal(Session(principal.tenant, principal.key_id, expires_at), request.services.session_secret)
    view = SessionView(
        tenant=principal.tenant,
        key_id=principal.key_id,
        roles=sorted(principal.roles),
        workspace_id=principal.workspace,
        expires_at=expires_at,
    )
    return Response(view, cookies=[_cookie(request, token, int(LIFETIME.total_seconds()))])


@read("/", roles=EVERYBODY, summary="Who am I?", operation_id="getSession")
async def who(request: ApiRequest) -> SessionView:
    """Answer whose key or cookie this request carries."""
    caller = request.caller
    return SessionView(
        tenant=caller.tenant,
        key_id=caller.actor.removeprefix("key/"),
        roles=sorted(caller.roles),
        workspace_id=caller.workspace,
    )


@delete(
    "/",
    opt=PUBLIC,
    security=OPEN,
    status_code=204,
    responses=failures(403),
    summary="Sign out of the console",
    operation_id="signOut",
)
async def sign_out(request: ApiRequest) -> Response[None]:
    """Take the cookie back, whether or not its session still lives."""
    require_same_origin("DELETE", request.scope["headers"])
    return Response(None, status_code=204, cookies=[_cookie(request, "", 0)])


def _cookie(request: ApiRequest, value: str, max_age: int) -> Cookie:
    secure = request.scope["scheme"] == "https"
    return Cookie(
        key=COOKIE,
        value=value,
        max_age=max_age,
        path="/",
        httponly=True,
        samesite="strict",
        secure=secure,
    )


router = Router("/session", route_handlers=[sign_in, who, sign_out], tags=["identity"])
