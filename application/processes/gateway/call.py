"""What a gateway request is made of, and the few things the gateway needs from the rest of the product."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from application.bus import Caller
from application.orchestration.dialects.model import ChatRequest
from application.orchestration.upstream import ProviderSpec
from application.ports import Appended, AppendRequest
from domain.kernel.request_record import Attempt, TokenCounts
from domain.orchestration.budget import Pace
from domain.orchestration.catalogue import Catalogue, Target
from domain.orchestration.policy import ActivePolicy
from domain.orchestration.routing import Measures, Route


class GatewayCall(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it came in.

    `started` is `time.monotonic()` at its arrival, `started_at` the same in UTC; `forwarded` are the caller's
    headers that a provider of the same dialect gets to see.
    """

    caller: Caller
    request: ChatRequest
    request_id: str
    started: float
    started_at: datetime
    workspace: str = "default"
    segment: str | None = None
    session: str | None = None
    user: str | None = None
    latency_budget_ms: int | None = None
    fallback_off: bool = False
    dry_run: bool = False
    forwarded: Mapping[str, str] = {}

    @property
    def key_id(self) -> str:
        """Return the id of the API key that the request came with."""
        return self.caller.actor.removeprefix("key/")


class Priced(msgspec.Struct, frozen=True):
    """What usage costs: None when no price is known, and the version of the price book that said so."""

    cost_micros: int | None
    version: str


class Directory(Protocol):
    """Policies and providers in memory, as new as the last applied control event of this process."""

    def policy(self, tenant: str, workspace: str) -> ActivePolicy | None: ...

    def catalogue(self, tenant: str) -> Catalogue: ...

    def provider(self, tenant: str, name: str) -> ProviderSpec: ...

    def measures(self, tenant: str) -> Measures: ...


class Prices(Protocol):
    """The price book; `cost` never raises."""

    def cost(self, tenant: str, target: Target, usage: TokenCounts, at: datetime) -> Priced: ...


class Health(Protocol):
    """Keeps targets that must rest out of routes; `observe` feeds it with every attempt that ended."""

    def filter(self, tenant: str, route: Route, *, probing: bool = True) -> Route:
        """Return the route without them; without `probing` the request is not used to try one out."""
        ...

    def observe(
        self, tenant: str, attempt: Attempt, retry_after_s: float | None = None, *, streamed: bool = True
    ) -> None: ...

    def pace(self, tenant: str, target: Target, *, streamed: bool) -> Pace | None:
        """Return how long a target's answers take, of streams to their first content; None if not known."""
        ...


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's surroundings, wired by composition.

    `append` stores the record of a request durably. `subject_reference(tenant, user)` is the pseudonym of a
    person. `observe(tenant, attempt)` sees every attempt that ended. `ready()` raises Unavailable when this
    process must not serve because it cannot meter. `default_temperature` is what the default target gets when
    a caller chose none.
    """

    directory: Directory
    prices: Prices
    health: Health
    append: Callable[[AppendRequest], Awaitable[Appended]]
    subject_reference: Callable[[str, str], str]
    observe: Callable[[str, Attempt], None]
    ready: Callable[[], None]
    default_target: Target
    default_temperature: float | None = None
