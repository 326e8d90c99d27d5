"""Where the gateway asks whether a request may be made at all: the port to quotas, and the upper bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from application.orchestration.dialects.outgoing import DEFAULT_MAX_TOKENS
from application.processes.gateway.call import GatewayCall
from domain.kernel.request_record import RequestRecorded, TokenCounts
from domain.orchestration.catalogue import Catalogue
from domain.orchestration.routing import Route

GENERATING = frozenset({"chat", "messages"})


class Bound(msgspec.Struct, frozen=True):
    """What a request can use at most; `max_tokens` (None: nothing is generated) must be sent upstream."""

    input_tokens: int
    output_tokens: int
    max_tokens: int | None

    @property
    def tokens(self) -> int:
        """Return the bound of input and output together."""
        return self.input_tokens + self.output_tokens


Assumed = Callable[[TokenCounts, int], RequestRecorded]


class Admitted(Protocol):
    """A request that may be made. Exactly one of `settle` and `release` ends it; more calls change nothing.

    `max_tokens` is to be sent upstream; None where nothing is generated. `dispatched(record)` says that a
    provider is being called, and how to record the request at its upper bound if this process dies over it.
    `settle` takes the record once it is stored; `release` ends a request that has none. `headers` are the
    answer's, as of now.
    """

    @property
    def max_tokens(self) -> int | None: ...

    def dispatched(self, record: Assumed) -> None: ...

    async def again(self) -> bool:
        """Hold the upper bound once more, for another attempt after one that used something already.

        Returns False when that does not fit (or cannot be told), in which case no attempt may follow.
        """
        ...

    def settle(self, record: RequestRecorded) -> None: ...

    def release(self) -> None: ...

    def headers(self) -> Mapping[str, str]: ...


class Admission(Protocol):
    """Admits requests. `admit` raises Refused (429 `quota_exceeded`), or Unavailable when it cannot tell.

    `preview` returns the headers that a request would have, and reserves nothing.
    """

    async def admit(self, call: GatewayCall, route: Route, catalogue: Catalogue) -> Admitted: ...

    def preview(self, call: GatewayCall, route: Route, catalogue: Catalogue) -> Mapping[str, str]: ...


class Unlimited:
    """Admits what no quota limits."""

    def __init__(self, max_tokens: int | None) -> None:
        self.max_tokens = max_tokens

    def dispatched(self, record: Assumed) -> None:
        """Change nothing."""

    async def again(self) -> bool:
        """Allow it."""
        return True

    def settle(self, record: RequestRecorded) -> None:
        """Change nothing."""

    def release(self) -> None:
        """Change nothing."""

    def headers(self) -> Mapping[str, str]:
        """Return that all is well."""
        return {"x-aios-quota-state": "ok"}


class NoQuotas:
    """Admits everything, with bounded answers."""

    async def admit(self, call: GatewayCall, route: Route, catalogue: Catalogue) -> Admitted:
        """Admit the request."""
        return Unlimited(bound_of(call, route, catalogue).max_tokens)

    def preview(self, call: GatewayCall, route: Route, catalogue: Catalogue) -> Mapping[str, str]:
        """Return that all is well."""
        return {"x-aios-quota-state": "ok"}


def bound_of(call: GatewayCall, route: Route, catalogue: Catalogue) -> Bound:
    """Return the upper bound of a request over its whole chain of targets."""
    request = call.request
    if request.operation not in GENERATING:
        return Bound(request.input_token_bound, 0, None)
    given = [value for value in (request.max_tokens, route.max_tokens) if value is not None]
    specs = [catalogue.spec(target) for target in route.targets]
    tops = [spec.max_output_tokens for spec in specs if spec and spec.max_output_tokens is not None]
    if len(tops) == len(specs):
        given.append(max(tops))
    if request.max_tokens is None and route.max_tokens is None:
        given.append(DEFAULT_MAX_TOKENS)
    most = min(given)
    return Bound(request.input_token_bound, most * request.choices, most)
