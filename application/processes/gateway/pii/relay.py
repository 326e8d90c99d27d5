"""A provider's stream whose texts are treated before they leave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from application.orchestration.dialects.scan import StreamScanner
from application.orchestration.upstream import UpstreamFailure
from application.processes.gateway.outcome import Refused
from application.processes.gateway.relay import Relay
from domain.kernel.errors import Unavailable
from domain.memory.pii.spans import PiiDetectionFailed


class StreamGuard(Protocol):
    """Treats the texts in the frames of one dialect."""

    def feed(self, chunk: bytes) -> bytes:
        """Return the caller's bytes for a chunk; raises PiiDetectionFailed."""
        ...

    def finish(self) -> bytes:
        """Return what is still held back; raises PiiDetectionFailed."""
        ...


class GuardedRelay:
    """Relays like `Relay`, with its texts treated; `refused` says why it ended early, if it did."""

    def __init__(
        self,
        relay: Relay,
        guard: StreamGuard,
        check: Callable[[], None],
        failed: Callable[[Unavailable], Refused],
    ) -> None:
        self._relay = relay
        self._guard = guard
        self._check = check
        self._failed = failed
        self.refused: Refused | None = None
        self.closing = b""

    @property
    def scanner(self) -> StreamScanner:
        """What the provider has told."""
        return self._relay.scanner

    @property
    def failure(self) -> UpstreamFailure | None:
        """Why the provider's stream broke, if it did."""
        return self._relay.failure

    @property
    def drain_s(self) -> float:
        """How long to read on after the client has gone."""
        return self._relay.drain_s

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the client's bytes up to the closing message; a refusal ends it and sets `refused`."""
        async for chunk in self._relay.body():
            if out := self._treat(chunk):
                yield out
            if self.refused is not None:
                return
        if rest := self._treat(b"", last=True):
            yield rest
        if self.refused is None and self._relay.failure is None:
            self.closing = self._treat(self._relay.closing)

    async def drain(self) -> None:
        """Read on for the usage after the client has gone."""
        await self._relay.drain()

    async def read_out(self) -> None:
        """Read what follows the closing message."""
        await self._relay.read_out()

    async def aclose(self) -> None:
        """End the exchange with the provider."""
        await self._relay.aclose()

    def _treat(self, chunk: bytes, *, last: bool = False) -> bytes:
        try:
            out = self._guard.feed(chunk) if not last else self._guard.finish()
            self._check()
        except PiiDetectionFailed as error:
            self.refused = self._failed(error)
            return b""
        except Refused as refused:
            self.refused = refused
            return b""
        return out
