"""The port to model providers: one HTTP exchange, its answer in raw bytes, its failure by kind.

Policy, fallback and metering live above this port. An implementation never retries a provider on its
own account, except once on a fresh connection when a kept-alive one turned out to be dead before any
byte of an answer. All durations are seconds; points in time are those of `time.monotonic()`.
"""

from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from typing import Literal, Protocol

import msgspec

Dialect = Literal["openai", "anthropic"]


class FailureKind(StrEnum):
    """What went wrong with one exchange, in the words that attempts, health and headers use."""

    REFUSED = "refused"  # nothing listens there, or no route to it
    RESET = "reset"  # closed or reset before the status line
    DNS = "dns"  # the host name does not resolve
    TLS = "tls"  # handshake or certificate
    TIMEOUT_CONNECT = "timeout_connect"  # no connection in time, or none free in the pool
    TIMEOUT_FIRST_BYTE = "timeout_first_byte"  # the deadline passed before `commit()` or the end of the body
    TIMEOUT_IDLE = "timeout_idle"  # a gap between two bytes of the body longer than `idle_timeout`
    CUT = "cut"  # closed in the middle of the body
    MALFORMED = "malformed"  # not HTTP, or neither JSON nor an event stream
    TOO_LARGE = "too_large"  # headers or body above the limit
    STATUS = "status"  # an answer outside 200..299
    EGRESS_FORBIDDEN = "egress_forbidden"  # the address is one this installation never calls
    NOT_READY = "not_ready"  # the local model is still loading


class Secret:
    """A provider credential that can be sent but does not show itself in logs, tracebacks or reprs."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The credential itself; only an adapter that is about to send it calls this."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Where a provider is and how it is spoken to; build one per provider and version, not one per call.

    `base_url` is what the dialect's SDK takes: with `/v1` for openai, without for anthropic.
    `headers` are sent on every call. `allow_private` admits loopback and private addresses.
    `drain_seconds` is how long the caller of this port may go on reading after its own client has left.
    """

    name: str
    dialect: Dialect
    base_url: str
    credential: Secret | None = None
    credential_id: str = ""
    headers: Mapping[str, str] = {}
    allow_private: bool = True
    drain_seconds: float = 0.0
    max_connections: int = 512


class UpstreamCall(msgspec.Struct, frozen=True, kw_only=True):
    """One POST: `path` is appended to the base URL (`/chat/completions`, `/v1/messages`), `body` is JSON.

    `headers` are caller headers that are safe to forward (`anthropic-version`, `anthropic-beta`,
    `openai-organization`); credentials are the adapter's. `deadline` holds until `commit()` for a
    stream, until the end of the body otherwise. `idle_timeout` bounds the gaps after `commit()`.
    """

    path: str
    body: bytes
    deadline: float
    stream: bool = False
    headers: Mapping[str, str] = {}
    connect_timeout: float = 5.0
    idle_timeout: float = 60.0


class UpstreamFailure(Exception):
    """One exchange failed; `str()` is safe to log and to show to an operator, `body` is the provider's own.

    `status`, `body` (bounded) and `headers` are set for kind `status`; `retry_after_s` when the provider
    said how long to stay away; `latency_s` runs from `open()` to the failure.
    """

    def __init__(
        self,
        kind: FailureKind,
        detail: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        latency_s: float = 0.0,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s
        self.body = body
        self.headers: Mapping[str, str] = headers or {}
        self.latency_s = latency_s

    def __repr__(self) -> str:
        return f"UpstreamFailure({self.kind.value}, {self.detail!r}, status={self.status})"


class UpstreamAnswer(Protocol):
    """A 2xx answer whose headers have arrived; read it once, by `read` or by `chunks`, then `aclose` it.

    `headers` holds lower-case names: content-type, the provider's request id and rate-limit headers.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def read(self, limit: int) -> bytes:
        """The whole body; UpstreamFailure `too_large` above `limit` bytes, `cut`, `timeout_*`."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they arrive, not aligned to events; UpstreamFailure `cut`, `timeout_*`.

        Read to the end, past the closing event, or the connection cannot be used again.
        """
        ...

    def commit(self) -> None:
        """First content has arrived: the deadline no longer holds, only the idle gap does."""
        ...

    async def aclose(self) -> None:
        """Ends the exchange: an unfinished body closes its connection at once, a finished one frees it."""
        ...


class Upstream(Protocol):
    """Speaks to providers; implemented over HTTP, and in memory for tests."""

    async def open(self, spec: ProviderSpec, call: UpstreamCall) -> UpstreamAnswer:
        """Sends the call and waits for the status line and headers; UpstreamFailure when there is no 2xx."""
        ...

    async def forget(self, provider: str) -> None:
        """Closes the idle connections of a provider that was removed or moved."""
        ...

    async def aclose(self) -> None:
        """Closes everything; running exchanges fail with `cut`."""
        ...
