"""Model providers: the built-in ones and the tenant's own; credentials go in and never come out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, Router
from litestar.params import JSONBody, PathParameter, QueryParameter

from application.orchestration.answers import ProviderAnswer, ProviderGone
from application.orchestration.commands import RegisterProvider, RemoveProvider
from application.orchestration.connection_tests import ConnectionTest
from domain.kernel.errors import InvalidInput, NotFound
from domain.orchestration.connection import Connection
from domain.orchestration.credential_events import ProviderCredentialRefused
from domain.orchestration.provider_check import LONGEST_MODEL_NAME
from domain.orchestration.provider_spec import Dialect, ModelSpec
from interfaces.http.model_health import CredentialRefusal
from interfaces.http.pages import Page
from interfaces.http.request import ApiRequest
from interfaces.http.routing import OPERATORS, READERS, create, read, remove
from interfaces.http.writes import written

Name = Annotated[str, PathParameter(name="name", max_length=64, description="The provider's name.")]

TestFirst = Annotated[
    bool, QueryParameter(name="test", description="Store the provider only when a test of it succeeds.")
]

AskedModel = Annotated[
    str | None,
    QueryParameter(
        name="model",
        min_length=1,
        max_length=LONGEST_MODEL_NAME,
        description="Ask this model for a few tokens, which the provider bills.",
    ),
]


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
    credential_refused: CredentialRefusal | None

    @classmethod
    def of(cls, connection: Connection, refusal: ProviderCredentialRefused | None) -> ProviderView:
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
            credential_refused=CredentialRefusal.of(refusal),
        )


@read("/providers", roles=READERS, summary="List providers", operation_id="listProviders")
async def list_providers(request: ApiRequest) -> Page[ProviderView]:
    """List all providers in use, the built-in ones first."""
    services, tenant = request.services, request.caller.tenant
    found = services.connections(tenant)
    return Page([ProviderView.of(each, services.refusal(tenant, each.name)) for each in found])


@create("/providers", roles=OPERATORS, summary="Add or replace a provider", operation_id="registerProvider")
async def register(
    request: ApiRequest, data: JSONBody[RegisterProvider], test: TestFirst = False
) -> Response[ProviderWritten]:
    """Add a provider of the OpenAI or Anthropic dialect, or replace the tenant's own one of this name.

    After the answer, `name/model` works on every process. With `test=true` its models are listed first, and
    nothing is stored when that fails: 422 says why.
    """
    if test:
        await _test_first(request, data)
    return written(ProviderWritten, await request.dispatch(data))


async def _test_first(request: ApiRequest, data: RegisterProvider) -> None:
    request.caller.require(*OPERATORS)
    tester = request.services.connection_tester
    present = {each.name: each for each in request.services.connections(request.caller.tenant)}
    found = await tester(tester.draft(data, present.get(data.name)))
    if not found.ok:
        pointer = "/api_key" if found.reason == "credential_refused" else "/base_url"
        raise InvalidInput.at(pointer, f"{found.reason}: {found.detail}")


@create(
    "/providers/{name:str}/test",
    roles=OPERATORS,
    fails=(404,),
    status_code=200,
    summary="Test the connection to a provider",
    operation_id="testProvider",
)
async def try_provider(request: ApiRequest, name: Name, model: AskedModel = None) -> ConnectionTest:
    """Ask a provider in use, through its vendor's SDK, for its list of models, which costs nothing.

    With `model` that model is asked for a few tokens, which the provider bills. A test that fails
    is a 200 as well: `ok` is false, and `reason` and `detail` say why and what to do.
    """
    connections = request.services.connections(request.caller.tenant)
    connection = next((each for each in connections if each.name == name), None)
    if connection is None:
        raise NotFound(f"there is no provider '{name}'; GET /providers lists them")
    return await request.services.connection_tester(connection, model)


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


router = Router(
    "/", route_handlers=[list_providers, register, try_provider, remove_provider], tags=["orchestration"]
)
