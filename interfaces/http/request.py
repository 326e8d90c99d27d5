"""The request as routes see it: the caller, the product's services, and a strictly decoded body."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from litestar import Request
from litestar.datastructures import State
from litestar.exceptions import ClientException, HTTPException, InternalServerException
from sqlalchemy.ext.asyncio import AsyncConnection

from application.bus import Caller, Command, Outcome
from interfaces.http.bodies import decode_body
from interfaces.http.services import Services, services_of

JSON_TYPES: Final = ("application/json", "")


class ApiRequest(Request[None, Caller, State]):
    """A request of a route under `/api`; `auth` is the caller once `Authentication` has passed it."""

    @property
    def services(self) -> Services:
        """Return the product's services."""
        return services_of(self.scope)

    @property
    def caller(self) -> Caller:
        """Return who asks; only on routes that need a key."""
        return self.auth

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Lend a connection on which only the caller's tenant's read models exist."""
        return self.services.reading(self.caller.tenant)

    async def dispatch(self, command: Command) -> Outcome:
        """Carry a command of this caller to its handler."""
        return await self.services.bus.dispatch(command, self.caller)

    async def body(self) -> bytes:
        """Return the whole body; a client that sends it too slowly is told so with 408."""
        limit_s = self.services.body_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await super().body()
        except TimeoutError as error:
            raise HTTPException(
                status_code=408, detail=f"the body did not arrive within {limit_s:g} s"
            ) from error
        except InternalServerException as error:
            raise ClientException("the client left before its body had arrived") from error

    async def json(self) -> Any:
        """Decode the body into the type of the handler's `data` argument.

        Litestar converts plain values leniently ("5" passes for 5) and knows no pointers, so the body is
        decoded here and Litestar passes the finished struct through.
        """
        media_type = self.content_type[0].lower()
        if media_type not in JSON_TYPES and not media_type.endswith("+json"):
            raise HTTPException(
                status_code=415, detail=f"send the body as application/json, not as {media_type[:80]}"
            )
        raw = await self.body()
        field = self.route_handler.parsed_data_field
        return decode_body(raw, field.annotation if field else Any)
