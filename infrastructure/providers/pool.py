"""One provider's kept-alive connections; apart from every other's, so that a slow provider starves no one."""

import asyncio
import socket
import ssl
from contextvars import ContextVar
from functools import cache
from typing import Protocol
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import AddrInfoType, Connection
from aiohttp.helpers import sentinel
from aiohttp.tracing import Trace
from yarl import URL

from application.orchestration.upstream import ProviderSpec
from infrastructure.providers.egress import GuardedResolver, check_host

KEEPALIVE_S = 30.0
DNS_TTL_S = 30
MAX_HEADER_BYTES = 16_384

connection_was_reused: ContextVar[bool] = ContextVar("connection_was_reused", default=False)
"""Whether the connection that the current task's last exchange got had served another one before."""


class Interruptible(Protocol):
    """An answer that the pool can end when it closes under it."""

    def interrupt(self) -> None: ...


class Opening:
    """Stands for an answer whose headers are still awaited; closing the session ends it anyway."""

    def interrupt(self) -> None:
        """Nothing to end yet."""


class ProviderPool:
    """The sessions of one (provider, base URL); knows its running answers, to close after the last one."""

    def __init__(self, spec: ProviderSpec, names: AbstractResolver | None = None) -> None:
        self.url = URL(spec.base_url)
        check_host(self.url.raw_host or "", allow_private=spec.allow_private)
        self._spec = spec
        self._names = names
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._urls: dict[str, URL] = {}
        self._live: set[Interruptible] = set()
        self._retired = False

    def session(self, *, fresh: bool = False) -> aiohttp.ClientSession:
        """The pooled session, or the one that makes a new connection for each exchange."""
        session = self._sessions.get(fresh)
        if session is None:
            session = self._sessions[fresh] = _session(self._spec, self._names, fresh=fresh)
        return session

    def url_of(self, path: str) -> URL:
        """The full URL of one of the few paths of a dialect."""
        url = self._urls.get(path)
        if url is None:
            if len(self._urls) >= 64:
                self._urls.clear()
            url = self._urls[path] = URL(self._spec.base_url.rstrip("/") + path)
        return url

    def began(self, answer: Interruptible) -> None:
        """An answer is under way."""
        self._live.add(answer)

    def ended(self, answer: Interruptible) -> None:
        """An answer is over; the last one of a retired pool closes it."""
        self._live.discard(answer)
        if self._retired and not self._live:
            _closing.add(task := asyncio.ensure_future(self.aclose()))
            task.add_done_callback(_closing.discard)

    async def retire(self) -> None:
        """Closes when no answer is under way any more, at once if none is."""
        self._retired = True
        if not self._live:
            await self.aclose()

    async def aclose(self) -> None:
        """Closes every connection, also those in use."""
        for answer in list(self._live):
            answer.interrupt()
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()


_closing: set[asyncio.Future[None]] = set()  # the event loop keeps weak references only


class _Connector(aiohttp.TCPConnector):
    """Notes whether a connection is reused: only then may a failed exchange be tried on a fresh one."""

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        connection_was_reused.set(protocol in self._served)
        if protocol is not None:
            self._served.add(protocol)
        return connection

    def __init__(self, spec: ProviderSpec, names: AbstractResolver | None, *, fresh: bool) -> None:
        self._served: WeakSet[ResponseHandler] = WeakSet()
        super().__init__(
            limit=spec.max_connections,
            force_close=fresh,
            ttl_dns_cache=DNS_TTL_S,
            resolver=GuardedResolver(allow_private=spec.allow_private, inner=names),
            ssl=_tls_context() if spec.base_url.startswith("https") else True,
            socket_factory=_socket,
            keepalive_timeout=sentinel if fresh else KEEPALIVE_S,
        )


def _session(spec: ProviderSpec, names: AbstractResolver | None, *, fresh: bool) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=_Connector(spec, names, fresh=fresh),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,  # a proxy from the environment would see what is sent and bypass the egress rules
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
    )


@cache
def _tls_context() -> ssl.SSLContext:
    """The system's authorities and certifi's: some Python builds look for the former in the wrong place."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _socket(address: AddrInfoType) -> socket.socket:
    """A socket with TCP keep-alive, as a long answer may leave a connection silent for minutes."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    return made
