"""An answer under way: its bytes, its clock, and the end of its connection."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping

import aiohttp

from application.orchestration.upstream import FailureKind, UpstreamCall, UpstreamFailure
from infrastructure.providers.failures import kept_headers
from infrastructure.providers.pool import ProviderPool


class HttpAnswer:
    """UpstreamAnswer over an aiohttp response.

    One timer per answer: it stands at the deadline until `commit()`, and then follows the last byte lazily,
    so that a chunk costs no timer of its own. Time the reader spends elsewhere is no gap of the provider's.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        provider: str,
        call: UpstreamCall,
        pool: ProviderPool,
        started: float,
    ) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = kept_headers(response.headers)
        self._loop = asyncio.get_running_loop()
        self._response = response
        self._provider = provider
        self._started = started
        self._deadline = call.deadline
        self._idle = call.idle_timeout
        self._pool = pool
        self._timer: asyncio.TimerHandle | None = None
        self._expired: FailureKind | None = None
        self._waiting_since: float | None = None
        self._committed = False
        self._done = False
        pool.began(self)

    async def read(self, limit: int) -> bytes:
        """See UpstreamAnswer.read."""
        if (self._response.content_length or 0) > limit:
            raise self._too_large(limit)
        parts: list[bytes] = []
        size = 0
        async for part in self.chunks():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise self._too_large(limit)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """See UpstreamAnswer.chunks."""
        content = self._response.content
        if not self._committed and not content.is_eof():
            self._start_timer()
        while True:
            self._waiting_since = self._loop.time()
            try:
                part = await content.readany()
            except (aiohttp.ClientError, OSError) as exc:
                failed: Exception | None = exc
            else:
                failed = None
            self._waiting_since = None
            if failed is not None:
                self._finish()
                raise self._failure(failed)
            if not part:
                self._finish()
                return
            yield part

    def commit(self) -> None:
        """See UpstreamAnswer.commit."""
        if self._committed or self._done:
            return
        self._committed = True
        if not self._response.content.is_eof():
            self._cancel_timer()
            self._timer = self._loop.call_later(self._idle, self._check_gap)

    async def aclose(self) -> None:
        """See UpstreamAnswer.aclose; takes no time, the connection is gone when it returns."""
        self._finish()

    def interrupt(self) -> None:
        """The pool closes: a reader gets `cut`, now or when it comes."""
        self._expire(FailureKind.CUT)

    def _start_timer(self) -> None:
        if self._timer is None and self._deadline < math.inf:
            self._timer = self._loop.call_at(self._deadline, self._expire, FailureKind.TIMEOUT_FIRST_BYTE)

    def _check_gap(self) -> None:
        now = self._loop.time()
        due = (now if self._waiting_since is None else self._waiting_since) + self._idle
        if due <= now:
            self._expire(FailureKind.TIMEOUT_IDLE)
        else:
            self._timer = self._loop.call_at(due, self._check_gap)

    def _expire(self, kind: FailureKind) -> None:
        self._expired = kind
        self._close()

    def _finish(self) -> None:
        if self._done:
            return
        self._done = True
        self._cancel_timer()
        if not self._response.closed:
            self._close()
        self._pool.ended(self)

    def _close(self) -> None:
        """Closes the connection and wakes the reader with an error of its own.

        The one that aiohttp would raise is a single object for the whole process: it gathers a traceback
        with each raise, and every answer in those frames stays in memory for ever.
        """
        self._response.content.set_exception(aiohttp.ClientConnectionError("closed by the gateway"))
        self._response.close()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _failure(self, exc: Exception) -> UpstreamFailure:
        kind = self._expired or FailureKind.CUT
        if kind is FailureKind.TIMEOUT_FIRST_BYTE:
            detail = "no content before the deadline"
        elif kind is FailureKind.TIMEOUT_IDLE:
            detail = f"silent for {self._idle:g} s in the middle of its answer"
        else:
            detail = f"closed the connection in the middle of its answer ({type(exc).__name__})"
        return self._fail(kind, detail)

    def _too_large(self, limit: int) -> UpstreamFailure:
        self._finish()
        return self._fail(FailureKind.TOO_LARGE, f"its answer is larger than {limit} bytes")

    def _fail(self, kind: FailureKind, detail: str) -> UpstreamFailure:
        latency = self._loop.time() - self._started
        return UpstreamFailure(kind, f"provider '{self._provider}': {detail}", latency_s=latency)
