"""What the routes need from the rest of the product; `interfaces/composition.py` provides it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, cast

from litestar.types import Scope
from sqlalchemy.ext.asyncio import AsyncConnection

from application.billing.previews import Preview
from application.bus import Caller, Command, Outcome
from application.event_listing import ListEvents
from application.idempotency import IdempotencyStore
from application.memory.access_log import AccessLog
from application.memory.erasure_handlers import ErasureCommandPorts
from application.memory.searching import MemorySearch
from application.orchestration.commands import RegisterProvider
from application.orchestration.connection_tests import ConnectionTest
from application.orchestration.health import LiveStatus
from application.ports import Clock
from application.processes.gateway.call import GatewayCall
from application.processes.gateway.outcome import Streamed, Whole
from application.processes.memory_extraction import Conversation
from application.processes.simulation import Simulator
from domain.billing.ledger import Ledger
from domain.memory.policy import PolicyBook
from domain.memory.purge import Purge
from domain.memory.selection import Selection
from domain.orchestration.catalogue import Target
from domain.orchestration.connection import Connection
from domain.orchestration.credential_events import ProviderCredentialRefused
from domain.tenancy.principal import Principal
from domain.usage.pricing import UnitPrices
from interfaces.http.tracing import Served
from projections.memory.answers import SearchResult
from projections.memory.erasure_live import ErasureDirectory
from projections.usage.quota_live import QuotaDirectory
from projections.workflows.queries import TimetableOf


def services_of(scope: Scope) -> Services:
    """Return the services of the application that handles a connection."""
    return cast("Services", scope["litestar_app"].state["services"])


class CommandBus(Protocol):
    """Carries commands to their handlers; returns when their effects can be read on every process."""

    async def dispatch(self, command: Command, caller: Caller) -> Outcome: ...


class GatewayService(Protocol):
    """Answers gateway requests; `models` lists what a tenant's `model` may be."""

    async def serve(self, call: GatewayCall) -> Whole | Streamed: ...

    def models(self, tenant: str) -> Sequence[str]: ...


class ConnectionTests(Protocol):
    """Tests connections to providers; `draft` makes one of what is about to be registered.

    A draft that keeps its secrets takes them from `present`. It raises InvalidInput for an unusable address.
    """

    async def __call__(self, connection: Connection, model: str | None = None, /) -> ConnectionTest: ...

    def draft(self, wanted: RegisterProvider, present: Connection | None, /) -> Connection: ...


Probe = Callable[[], Awaitable[str | None]]


class Quotas(Protocol):
    """What the quota routes need: the limits in memory, the pseudonyms of users, and the present holds."""

    @property
    def directory(self) -> QuotaDirectory: ...

    def subject_reference(self, tenant: str, user: str, /) -> str: ...

    async def tell(self) -> None:
        """Write down what this process holds. Raises Unavailable when the database does not answer."""
        ...


class Memory(Protocol):
    """What the memory routes need beside commands: policies in memory, fresh read models, searches."""

    def book(self, tenant: str, /) -> PolicyBook: ...

    async def fresh(self) -> None: ...

    async def search(self, tenant: str, search: MemorySearch, /) -> SearchResult: ...

    async def remember(self, conversation: Conversation, caller: Caller, /) -> Outcome: ...


class Governance(Protocol):
    """What the routes of erasure need beside commands."""

    @property
    def access(self) -> AccessLog: ...

    @property
    def directory(self) -> ErasureDirectory: ...

    @property
    def ports(self) -> ErasureCommandPorts: ...

    @property
    def public_keys(self) -> Sequence[Mapping[str, str]]: ...

    async def clean(self, text: str, /) -> str: ...

    def reference(self, tenant: str, subject_id: str, /) -> str: ...

    async def preview(self, tenant: str, selection: Selection, /) -> dict[str, int]: ...

    async def purge(self, tenant: str, purge_id: str, /) -> Purge: ...

    async def held(self, tenant: str, subject: str, /) -> dict[str, int]: ...

    def export(
        self, tenant: str, subject_id: str, at: datetime, /, *, reveals: bool
    ) -> AsyncIterator[bytes]: ...


class BillingService(Protocol):
    """What the billing routes need beside read models: drafts of invoices, and a tenant's ledger."""

    async def preview(self, tenant: str, *, at: datetime | None, position: int | None) -> Preview: ...

    async def ledger(self, tenant: str) -> Ledger: ...

    async def receive(self, body: bytes, signature: str) -> bool:
        """Store a notice of the payment system, once; tells whether it is new."""
        ...

    @property
    def collects(self) -> bool: ...

    @property
    def takes_notices(self) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class Services:
    """The product as the HTTP interface sees it.

    `authenticate(key)` and `principal_of(tenant, key_id)` raise Unauthenticated for what is unknown, expired
    or revoked. `session_secret` is 32 bytes, the same on every process. `probes` answer a short detail or
    raise. `reading(tenant)` lends a connection that sees only this tenant's read models; `read_barrier`
    returns when they have what was stored before it was called (bounded). `connections(tenant)` are the
    providers in use, whose credentials are never shown. `target_status(tenant, provider, model)` is how
    routing judges a target now, `refusal(tenant, provider)` since when it refuses the credential in use.
    `timetable_of` tells when a workflow is due.
    `prices_of(tenant, target, at)` is what a request that starts then costs, None when no price is known.
    Bodies have at most `largest_body` bytes and `body_timeout_s` to arrive.
    """

    version: str
    clock: Clock
    bus: CommandBus
    gateway: GatewayService
    authenticate: Callable[[str], Principal]
    principal_of: Callable[[str, str], Principal]
    session_secret: bytes
    idempotency: IdempotencyStore
    probes: Mapping[str, Probe]
    reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]]
    read_barrier: Callable[[], Awaitable[None]]
    connections: Callable[[str], Sequence[Connection]]
    list_events: ListEvents
    timetable_of: TimetableOf
    quotas: Quotas
    memory: Memory
    billing: BillingService
    prices_of: Callable[[str, Target, datetime], UnitPrices | None]
    governance: Governance
    simulator: Simulator
    target_status: Callable[[str, str, str], LiveStatus | None]
    refusal: Callable[[str, str], ProviderCredentialRefused | None]
    connection_tester: ConnectionTests
    observe_request: Callable[[Served], None]
    render_metrics: Callable[[], tuple[bytes, str]]
    web_dist: Path
    largest_body: int = 1024 * 1024
    body_timeout_s: float = 30.0
