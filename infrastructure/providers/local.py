"""Provider `local`: the embedded model, whose address is known only once its process has loaded it."""

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from application.orchestration.upstream import (
    FailureKind,
    ProviderSpec,
    Secret,
    Upstream,
    UpstreamAnswer,
    UpstreamCall,
    UpstreamFailure,
)
from infrastructure.embedded.errors import EmbeddedServiceError, ServiceStillStarting
from infrastructure.providers.uncached import Uncached

RETRY_AFTER_S = 5.0


class Address(Protocol):
    """Where the embedded model listens, and the key of this start."""

    @property
    def base_url(self) -> str: ...

    @property
    def api_key(self) -> str: ...


Endpoint = Callable[[float], Awaitable[Address]]
"""Waits until a moment of `time.monotonic()`; ServiceStillStarting when the model is not loaded by then."""


class WithLocalModel:
    """Upstream that sends provider `local` to the embedded model, and every other one on as it is.

    The address is remembered until a call shows that nothing answers there, as after a restart of the model.
    """

    def __init__(self, inner: Upstream, endpoint: Endpoint, *, provider: str = "local") -> None:
        self._inner = inner
        self._endpoint = endpoint
        self._provider = provider
        self._known: tuple[ProviderSpec, ProviderSpec] | None = None

    async def open(self, spec: ProviderSpec, call: UpstreamCall) -> UpstreamAnswer:
        """See Upstream.open; `not_ready` while the model is loading."""
        if spec.name != self._provider:
            return await self._inner.open(spec, call)
        remembered = self._known is not None and self._known[0] is spec
        located = await self._located(spec, call.deadline)
        try:
            return Uncached(await self._inner.open(located, call))
        except UpstreamFailure as failure:
            if not _moved(failure):
                raise
            self._known = None
            if not remembered or failure.kind is not FailureKind.REFUSED:
                raise
        return Uncached(await self._inner.open(await self._located(spec, call.deadline), call))

    async def forget(self, provider: str) -> None:
        """See Upstream.forget."""
        if provider == self._provider:
            self._known = None
        await self._inner.forget(provider)

    async def aclose(self) -> None:
        """See Upstream.aclose; the model's process is its owner's to stop."""
        await self._inner.aclose()

    async def _located(self, spec: ProviderSpec, deadline: float) -> ProviderSpec:
        if self._known is not None and self._known[0] is spec:
            return self._known[1]
        address = await self._ask(deadline)
        located = msgspec.structs.replace(
            spec, base_url=address.base_url, credential=Secret(address.api_key), allow_private=True
        )
        self._known = (spec, located)
        return located

    async def _ask(self, deadline: float) -> Address:
        started = time.monotonic()
        try:
            return await self._endpoint(deadline)
        except (ServiceStillStarting, TimeoutError) as exc:
            kind, told = FailureKind.NOT_READY, str(exc) or "the local model is still loading; retry soon"
        except EmbeddedServiceError as exc:
            kind, told = FailureKind.REFUSED, str(exc).partition("\n")[0]  # what follows is its log
        raise UpstreamFailure(
            kind,
            f"provider '{self._provider}': {told}",
            retry_after_s=RETRY_AFTER_S if kind is FailureKind.NOT_READY else None,
            latency_s=time.monotonic() - started,
        )


def _moved(failure: UpstreamFailure) -> bool:
    """Whether a failure fits a model process that has ended or was replaced by one with another key."""
    return failure.kind in (FailureKind.REFUSED, FailureKind.RESET) or failure.status == 401
