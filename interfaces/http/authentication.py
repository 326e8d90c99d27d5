"""Decides who asks, before anything is validated: an API key in a header, or the console's cookie."""

from __future__ import annotations

from typing import Any, Final, cast

from litestar.connection import ASGIConnection
from litestar.types import ASGIApp, Receive, Scope, Send

from application.bus import Caller
from domain.kernel.errors import Unauthenticated
from domain.tenancy.principal import Principal
from interfaces.http.credentials import key_in
from interfaces.http.identifiers import time_ordered_id
from interfaces.http.same_origin import require_same_origin
from interfaces.http.services import Services, services_of
from interfaces.http.sessions import COOKIE, unseal
from interfaces.http.tracing import request_id_of

NO_KEY: Final = "send an API key as `Authorization: Bearer KEY` or `x-api-key`"


def identify(scope: Scope, command_id: str | None = None) -> Caller:
    """Return who asks; the command gets an id of its own unless the caller has one for it.

    Raises Unauthenticated, or Forbidden for a forged write with a cookie.
    """
    services = services_of(scope)
    key = key_in(scope["headers"])
    principal = services.authenticate(key) if key is not None else _signed_in(services, scope)
    return Caller(
        tenant=principal.tenant,
        actor=principal.actor,
        roles=principal.roles,
        correlation=request_id_of(scope),
        command_id=command_id or time_ordered_id("cmd"),
        workspace=principal.workspace,
    )


def _signed_in(services: Services, scope: Scope) -> Principal:
    connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
    token = connection.cookies.get(COOKIE)
    if token is None:
        raise Unauthenticated(NO_KEY)
    session = unseal(token, services.session_secret, services.clock())
    if session is None:
        raise Unauthenticated("the console's session has ended; sign in again")
    require_same_origin(cast("str", scope.get("method", "GET")), scope["headers"])
    return services.principal_of(session.tenant, session.key_id)


class Authentication:
    """Lets a request through to a handler when its caller holds one of the roles in the handler's `opt`.

    A handler without `roles` is refused to everybody: forgetting the declaration fails closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection; `scope["auth"]` becomes the Caller."""
        handler = scope["route_handler"]
        if not handler.opt.get("public"):
            caller = identify(scope)
            caller.require(*handler.opt.get("roles", ()))
            scope["auth"] = caller
        await self._app(scope, receive, send)
