"""The port to model providers, over HTTP: one exchange, bytes passed through, its failures by kind."""

import asyncio
import io
import math
import time
from functools import lru_cache

import aiohttp
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict

from application.orchestration.upstream import FailureKind, ProviderSpec, UpstreamCall, UpstreamFailure
from infrastructure.providers import failures
from infrastructure.providers.answer import HttpAnswer
from infrastructure.providers.egress import EgressForbidden
from infrastructure.providers.pool import Opening, ProviderPool, connection_was_reused

ANTHROPIC_VERSION = "2023-06-01"
MAX_ERROR_BODY = 65_536
ERROR_BODY_WAIT_S = 5.0
STALE_WINDOW_S = 1.0
"""A kept-alive connection that the provider had closed fails at once; later failures are the provider's."""
LARGE_BODY = 1_000_000  # above it aiohttp wants a file, so that one write does not hold the event loop


class HttpUpstream:
    """Upstream over aiohttp; make it inside the event loop that uses it."""

    def __init__(
        self, *, names: AbstractResolver | None = None, stale_window_s: float = STALE_WINDOW_S
    ) -> None:
        """Resolve host names with `names` (aiohttp's own when left off), always behind the egress rules."""
        self._names = names
        self._stale_window_s = stale_window_s
        self._pools: dict[tuple[str, str, bool], ProviderPool] = {}
        self._headers: dict[str, tuple[ProviderSpec, dict[str, str], dict[str, str]]] = {}

    async def open(self, spec: ProviderSpec, call: UpstreamCall) -> HttpAnswer:
        """See Upstream.open."""
        started = time.monotonic()
        try:
            return await self._open(spec, call, started)
        except UpstreamFailure as failure:
            failure.latency_s = time.monotonic() - started
            raise

    async def forget(self, provider: str) -> None:
        """See Upstream.forget."""
        self._headers.pop(provider, None)
        for key in [key for key in self._pools if key[0] == provider]:
            await self._pools.pop(key).retire()

    async def aclose(self) -> None:
        """See Upstream.aclose."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.aclose()

    async def _open(self, spec: ProviderSpec, call: UpstreamCall, started: float) -> HttpAnswer:
        if call.deadline <= started:
            raise UpstreamFailure(
                FailureKind.TIMEOUT_FIRST_BYTE, f"no time left to call provider '{spec.name}'"
            )
        pool = self._pool(spec)
        headers = self._request_headers(spec, call)
        opening = Opening()
        pool.began(opening)
        try:
            response = await _exchange(pool, spec, call, headers, self._stale_window_s)
            if not 200 <= response.status < 300:
                raise await _refusal(spec, call, response)
            if response.headers.get("Content-Type", "").startswith("text/html"):
                response.close()
                raise UpstreamFailure(
                    FailureKind.MALFORMED,
                    f"provider '{spec.name}' answered a web page instead of JSON; check its base_url",
                )
            return HttpAnswer(response, spec.name, call, pool, started)
        finally:
            pool.ended(opening)

    def _pool(self, spec: ProviderSpec) -> ProviderPool:
        key = (spec.name, spec.base_url, spec.allow_private)
        pool = self._pools.get(key)
        if pool is None:
            try:
                pool = self._pools[key] = ProviderPool(spec, self._names)
            except (EgressForbidden, ValueError) as refused:
                failure = failures.from_exception(refused, spec.name)
            else:
                return pool
            raise failure
        return pool

    def _request_headers(self, spec: ProviderSpec, call: UpstreamCall) -> CIMultiDict[str]:
        """The provider's defaults, then the caller's headers, then what nobody may override."""
        known = self._headers.get(spec.name)
        if known is None or known[0] is not spec:
            known = self._headers[spec.name] = (spec, _default_headers(spec), _fixed_headers(spec))
        return CIMultiDict({**known[1], **call.headers, **known[2]})


async def _exchange(
    pool: ProviderPool,
    spec: ProviderSpec,
    call: UpstreamCall,
    headers: CIMultiDict[str],
    stale_window_s: float,
) -> aiohttp.ClientResponse:
    """Sends and waits for the headers; a reused connection that was dead already is replaced once."""
    for fresh in (False, True):
        sent = time.monotonic()
        connection_was_reused.set(False)
        try:
            async with asyncio.timeout_at(call.deadline if call.deadline < math.inf else None):
                return await pool.session(fresh=fresh).post(
                    pool.url_of(call.path),
                    data=call.body if len(call.body) < LARGE_BODY else io.BytesIO(call.body),
                    headers=headers,
                    allow_redirects=False,
                    timeout=_timeout(_connect_timeout(call, sent)),
                )
        except (aiohttp.ClientError, OSError, EgressForbidden, ValueError) as exc:
            failure = failures.from_exception(exc, spec.name)
        stale = failure.kind is FailureKind.RESET and connection_was_reused.get()
        if not stale or time.monotonic() - sent > stale_window_s:
            break
    raise failure


async def _refusal(
    spec: ProviderSpec, call: UpstreamCall, response: aiohttp.ClientResponse
) -> UpstreamFailure:
    """Reads the provider's own error, bounded in size and time, and keeps the connection if it fits."""
    body = b""
    try:
        async with asyncio.timeout_at(min(call.deadline, time.monotonic() + ERROR_BODY_WAIT_S)):
            while len(body) <= MAX_ERROR_BODY and (part := await response.content.readany()):
                body += part
    except (aiohttp.ClientError, OSError):
        pass  # the status alone tells what happened
    finally:
        if not response.closed:
            response.close()
    return failures.from_status(
        spec.name, response.status, response.headers, body[:MAX_ERROR_BODY], spec.credential
    )


def _connect_timeout(call: UpstreamCall, now: float) -> float:
    """Just inside the deadline, so that a slow connect is told from a slow answer."""
    return max(min(call.connect_timeout, call.deadline - now - 0.005), 0.001)


@lru_cache(64)
def _timeout(connect_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=connect_s)


def _default_headers(spec: ProviderSpec) -> dict[str, str]:
    defaults = {"user-agent": "artisan-aios", "accept": "*/*"}
    if spec.dialect == "anthropic":
        defaults["anthropic-version"] = ANTHROPIC_VERSION
    return defaults | {name.lower(): value for name, value in spec.headers.items()}


def _fixed_headers(spec: ProviderSpec) -> dict[str, str]:
    fixed = {"content-type": "application/json", "accept-encoding": "identity"}
    if spec.credential:
        key = spec.credential.reveal()
        if not (key.isascii() and key.isprintable() and key == key.strip()):
            raise UpstreamFailure(
                FailureKind.MALFORMED,
                f"the key of provider '{spec.name}' holds a character that no header can carry; set it again",
            )
        if spec.dialect == "anthropic":
            fixed["x-api-key"] = key
        else:
            fixed["authorization"] = f"Bearer {key}"
    return fixed
