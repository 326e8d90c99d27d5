"""Relays a stream: holds it back until its first content, then passes bytes on and watches how it ends.

Before the first content a failure is invisible to the client, for another target can answer. After it no
other model's words are ever spliced in: a broken stream ends with an error event, not with a closing message.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from application.orchestration.dialects.hide_usage import without_usage
from application.orchestration.dialects.model import MalformedAnswer
from application.orchestration.dialects.scan import Kind, StreamScanner
from application.orchestration.dialects.shape import text
from application.orchestration.dialects.sse import Frame, FrameTooLarge, SseReader
from application.orchestration.dialects.translate_stream import StreamTranslator, stream_translator
from application.orchestration.upstream import (
    FailureKind,
    ProviderSpec,
    Upstream,
    UpstreamAnswer,
    UpstreamCall,
    UpstreamFailure,
)
from application.processes.gateway.attempts import malformed
from application.processes.gateway.outcome import Refused
from application.processes.gateway.trace import Trace

_OVERLOADED = 529
READ_OUT_S = 0.5


class Relay:
    """One provider's stream on its way to the client."""

    def __init__(self, answer: UpstreamAnswer, trace: Trace, spec: ProviderSpec) -> None:
        call = trace.call
        self.scanner = StreamScanner(spec.dialect, collect_text=trace.route.record_content)
        self.drain_s = spec.drain_seconds
        self._answer = answer
        self._trace = trace
        self._chunks = answer.chunks()
        self._reader = SseReader()
        self._hide_usage = spec.dialect == "openai" and not call.request.client_wants_usage
        self._translator: StreamTranslator | None = stream_translator(
            call.request,
            spec.dialect,
            answer_id=call.request_id,
            request_id=call.request_id,
            created=int(call.started_at.timestamp()),
        )
        self._held = b""
        self._closing: bytes | None = None
        self._own_closing = b"data: [DONE]\n\n" if spec.dialect == "openai" else b""
        self.failure: UpstreamFailure | None = None
        self.refused: Refused | None = None

    async def commit(self) -> None:
        """Read up to the first content. Raises UpstreamFailure when the stream ends or fails before it."""
        async for chunk in self._chunks:
            self._held += self._take(chunk)
            if self.failure is not None:
                raise self.failure
            if self.scanner.content_seen or self._closing is not None or self.scanner.finish_reason:
                self._trace.content_arrived()
                self._answer.commit()
                return
        raise UpstreamFailure(FailureKind.CUT, "the stream ended before its first content")

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the client's bytes up to, and without, the closing message; then `closing` has it.

        A stream that breaks sets `failure` and ends.
        """
        if self._held:
            yield self._held
        if self._has_ended():
            return
        try:
            async for chunk in self._chunks:
                out = self._take(chunk)
                if out:
                    yield out
                if self._has_ended():
                    return
        except UpstreamFailure as failure:
            self.failure = failure
            return
        rest = self._reader.finish()
        if rest is not None and self.scanner.scan(rest) is Kind.TERMINAL:
            self._closing = self._write(Frame(rest.raw.rstrip() + b"\n\n"), Kind.TERMINAL)
        elif self.scanner.finish_reason is None:
            self.failure = UpstreamFailure(FailureKind.CUT, "the stream ended without its closing message")

    async def drain(self) -> None:
        """Read on for the usage after the client has gone; what arrives goes nowhere."""
        async for chunk in self._answer.chunks():
            self._take(chunk)
            if self._has_ended():
                return

    @property
    def closing(self) -> bytes:
        """Return the closing message, made up in the caller's dialect when the provider left its own out."""
        if self._translator is not None:
            return (self._closing or b"") + self._translator.finish()
        return self._closing or self._own_closing

    async def read_out(self) -> None:
        """Read what follows the closing message, so that the connection can serve the next request."""
        with contextlib.suppress(TimeoutError, UpstreamFailure):
            async with asyncio.timeout(READ_OUT_S):
                async for _ in self._chunks:
                    continue
        await self.aclose()

    async def aclose(self) -> None:
        """End the exchange with the provider."""
        await self._answer.aclose()

    def _has_ended(self) -> bool:
        return self._closing is not None or self.failure is not None

    def _take(self, chunk: bytes) -> bytes:
        """Return the client's bytes for one chunk, or note how the stream ended."""
        out: list[bytes] = []
        try:
            for frame in self._reader.feed(chunk):
                kind = self.scanner.scan(frame)
                if kind is Kind.ERROR:
                    self.failure = self._in_band()
                    break
                written = self._write(frame, kind)
                if kind is Kind.TERMINAL:
                    self._closing = written
                    break
                out.append(written)
        except (MalformedAnswer, FrameTooLarge) as error:
            self.failure = malformed(str(error))
        return b"".join(out)

    def _write(self, frame: Frame, kind: Kind) -> bytes:
        if self._translator is not None:
            return self._translator.feed(frame)
        return without_usage(frame, kind) if self._hide_usage else frame.raw

    def _in_band(self) -> UpstreamFailure:
        error = self.scanner.error or {}
        overloaded = text(error.get("type")) == "overloaded_error"
        message = text(error.get("message")) or "the provider reported an error in the stream"
        return UpstreamFailure(FailureKind.STATUS, message[:300], status=_OVERLOADED if overloaded else 500)


async def open_relay(upstream: Upstream, trace: Trace, spec: ProviderSpec, call: UpstreamCall) -> Relay:
    """Make one attempt at a stream and return it at its first content. Raises UpstreamFailure."""
    answer = await upstream.open(spec, call)
    relay = Relay(answer, trace, spec)
    try:
        await relay.commit()
    except UpstreamFailure:
        trace.reported = relay.scanner.usage
        await relay.aclose()
        raise
    except BaseException:
        await relay.aclose()
        raise
    return relay
