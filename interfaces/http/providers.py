"""Model providers: the built-in ones and the tenant's own; credentials go in and never come out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, Router
from litestar.params import JSONBody, PathParameter

from application.orchestration.answers import ProviderAnswer, ProviderGone
from application.orchestration.commands import RegisterProvider, RemoveProvider
from domain.orchestration.connection import Connection
from domain.orchestration.provider_spec import Dialect, ModelSpec
from interfaces.http.pages import Page
from interfaces.http.request import ApiRequest
from interfaces.http.routing import OPERATORS, READERS, create, read, remove
from interfaces.http.writes import written

Name = Annotated[str, PathParameter(name="name", max_length=64, description="The provider's name.")]


class ProviderWritten(ProviderAnswer, frozen=True, kw_only=True):
    """A provider as it is now, without its secrets."""

    position: int


class ProviderRemoved(ProviderGone, frozen=True, kw_only=True):
    """The name of a provider that is gone."""

    position: int


class ProviderView(msgspec.Struct, frozen=True, kw_only=True):
    """A provider in use: only whether a key is set, and the names of its headers."""

    name: str
    dialect: Dialect
    base_url: str
    builtin: bool
    models: tuple[ModelSpec, ...]
    api_key_set: bool
    header_names: tuple[str, ...]
    drain_seconds: float
    allow_probe: bool
    revision: int
    registered_at: datetime | None
    registered_by: str | None

    @classmethod
    def of(cls, connection: Connection) -> ProviderView:
        """Return what may be shown of a connection."""
        return cls(
            name=connection.name,
            dialect=connection.dialect,
            base_url=connection.base_url,
            builtin=connection.builtin,
            models=connection.models,
            api_key_set=bool(connection.api_key),
            header_names=tuple(sorted(connection.headers)),
            drain_seconds=connection.drain_seconds,
            allow_probe=connection.allow_probe,
            revision=connection.revision,
            registered_at=connection.registered_at,
            registered_by=connection.registered_by,
        )


@read("/providers", roles=READERS, summary="List providers", operation_id="listProviders")
async def list_providers(request: ApiRequest) -> Page[ProviderView]:
    """List all providers in use, the built-in ones first."""
    found = request.services.connections(request.caller.tenant)
    return Page([ProviderView.of(connection) for connection in found])


@create("/providers", roles=OPERATORS, summary="Add or replace a provider", operation_id="registerProvider")
async def register(request: ApiRequest, data: JSONBody[RegisterProvider]) -> Response[ProviderWritten]:
    """Add a provider of the OpenAI or Anthropic dialect, or replace the tenant's own one of this name.

    After the answer, `name/model` works on every process.
    """
    return written(ProviderWritten, await request.dispatch(data))


@remove(
    "/providers/{name:str}",
    roles=OPERATORS,
    fails=(404,),
    summary="Remove a provider",
    operation_id="removeProvider",
)
async def remove_provider(request: ApiRequest, name: Name) -> Response[ProviderRemoved]:
    """Take a provider of the tenant's own out of use, and have its credential destroyed."""
    return written(ProviderRemoved, await request.dispatch(RemoveProvider(name=name)))


router = Router("/", route_handlers=[list_providers, register, remove_provider], tags=["orchestration"])
