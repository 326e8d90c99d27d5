"""The gateway's one pipeline: every route and dialect goes through `serve`; none skips policy or metering."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from functools import partial
from typing import Any

from application.orchestration.dialects.errors import INTERRUPTED, stream_error
from application.orchestration.upstream import Upstream, UpstreamFailure
from application.ports import AppendRequest
from application.processes.gateway import here
from application.processes.gateway.admission import Admission, NoQuotas
from application.processes.gateway.assumed import assumed
from application.processes.gateway.attempts import Attempts
from application.processes.gateway.call import Environment, GatewayCall
from application.processes.gateway.decisions import Decisions
from application.processes.gateway.here import JSON
from application.processes.gateway.outcome import LastChunk, Refused, Streamed, Whole
from application.processes.gateway.pii.guard import FAILED as SCRUBBING_FAILED
from application.processes.gateway.pii.guard import Scrubs
from application.processes.gateway.pii.relay import GuardedRelay
from application.processes.gateway.relay import Relay, open_relay
from application.processes.gateway.shadow import Shadows
from application.processes.gateway.trace import Trace
from application.processes.gateway.whole import WholeAnswer, read_whole
from domain.kernel.errors import NotFound, Unavailable
from domain.orchestration.policy import PiiPolicy
from domain.orchestration.routing import Route

AnyRelay = Relay | GuardedRelay
EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
SETTLE_AGAIN_S = 1.0
SETTLE_AT_EXIT_S = 10.0


class Gateway:
    """Serves requests; tasks that must outlive their client belong to the gateway, not to the request."""

    def __init__(
        self,
        env: Environment,
        upstream: Upstream,
        admission: Admission | None = None,
        scrubs: Scrubs | None = None,
    ) -> None:
        self._env = env
        self._upstream = upstream
        self._admission = admission or NoQuotas()
        self._scrubs = scrubs
        self._settling: set[asyncio.Task[None]] = set()
        self._decisions = Decisions(env.default_target)
        self._shadows = Shadows(env, upstream, self._admission, self._settle)

    async def serve(self, call: GatewayCall) -> Whole | Streamed:
        """Answer one request. Raises Refused, or InvalidInput for what no target's dialect can express.

        Cancelling the call means that the client has gone: the provider's connection closes at once and the
        request is recorded as cancelled.
        """
        self._env.ready()
        route = self._route(call)
        if call.dry_run:
            return here.dry_run(self._env, self._admission, call, route)
        if counted := here.counted(self._env, call, route):
            return counted
        trace = Trace(self._env, call, route)
        try:
            if route.pii is not None:
                await self._scrub(trace, route.pii)
            await self._admit(trace)
            if call.request.stream:
                return await self._stream(trace)
            return await self._whole(trace)
        except Refused as refused:
            await self._record(trace, trace.event("failed", refused.status, error_code=refused.code))
            refused.headers = {**trace.headers(), **refused.headers}
            raise
        except asyncio.CancelledError:
            trace.broken_off("cancelled", None, 0, "the client left before the answer")
            self._later(self._settle(trace, trace.event("cancelled", 499, error_code="client_gone")))
            raise
        except Exception:
            trace.broken_off("internal_error", None, 0, "the gateway failed")
            self._later(self._settle(trace, trace.event("failed", 500, error_code="internal_error")))
            raise

    def models(self, tenant: str) -> tuple[str, ...]:
        """Return what a tenant's `model` may be; providers that take every name are not listed."""
        listing = self._env.directory.catalogue(tenant).listing()
        return ("auto", *(name for name in listing if not name.endswith("/*")))

    async def aclose(self) -> None:
        """Break shadows off, and wait, bounded, for records of requests whose clients have gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_AT_EXIT_S):
                await self._shadows.aclose()
                while self._settling:
                    await asyncio.gather(*self._settling, return_exceptions=True)

    def _route(self, call: GatewayCall) -> Route:
        tenant, directory = call.caller.tenant, self._env.directory
        try:
            route = self._decisions.route(
                call,
                directory.policy(tenant, call.workspace),
                directory.catalogue(tenant),
                lambda: directory.measures(tenant),
            )
        except NotFound as error:
            raise Refused(404, "model_not_found", error.message, param="/model") from None
        except Unavailable as error:
            raise Refused(503, "no_target_available", error.message) from None
        return self._env.health.filter(tenant, route, probing=not call.dry_run)

    async def _scrub(self, trace: Trace, policy: PiiPolicy) -> None:
        """Let nothing but the scrubbed request go on. Raises Refused when that cannot be had."""
        if self._scrubs is None:
            raise Refused(503, SCRUBBING_FAILED, "This process cannot search for personal data.")
        await self._scrubs.scrub(trace, policy)

    async def _admit(self, trace: Trace) -> None:
        """Have the request admitted. Raises Refused when a quota, or not knowing one, forbids it."""
        catalogue = self._env.directory.catalogue(trace.call.caller.tenant)
        try:
            trace.admitted = await self._admission.admit(trace.call, trace.route, catalogue)
        except Unavailable as error:
            raise Refused(503, "metering_unavailable", error.message, headers={"retry-after": "1"}) from None
        trace.admitted.dispatched(partial(assumed, trace))

    async def _whole(self, trace: Trace) -> Whole:
        answer: WholeAnswer = await Attempts(self._env, trace).run(
            lambda spec, call: read_whole(self._upstream, trace, spec, call)
        )
        trace.succeeded(answer.usage, answer.estimated_output, answer.status)
        if trace.guard is not None:
            answer = trace.guard.whole(answer)
        event = trace.event(
            "succeeded", answer.status, finish_reason=answer.finish_reason, answer=answer.text
        )
        if (problem := await self._record(trace, event)) is not None:
            raise unmetered(trace, problem)
        return Whole(answer.status, answer.body, {**JSON, **trace.headers(cost=True)})

    async def _stream(self, trace: Trace) -> Streamed:
        relay = await Attempts(self._env, trace).run(
            lambda spec, call: open_relay(self._upstream, trace, spec, call)
        )
        headers = {**EVENTS, **trace.headers()}
        chunks = self._relayed(trace, trace.guard.streamed(relay) if trace.guard is not None else relay)
        await anext(chunks)  # begun, so that closing it settles the request, also before its first chunk
        return Streamed(chunks, headers)

    async def _relayed(self, trace: Trace, relay: AnyRelay) -> AsyncGenerator[bytes, None]:
        """Yield nothing, then the client's bytes; the record is durable before the closing message leaves."""
        settled = False
        try:
            yield b""
            async for chunk in relay.body():
                yield chunk
            closing = await self._closing(trace, relay)
            settled = True
            yield LastChunk(closing)
        finally:
            if not settled:
                self._later(self._client_gone(trace, relay))
            elif relay.failure is None and relay.refused is None:
                self._later(relay.read_out())

    async def _closing(self, trace: Trace, relay: AnyRelay) -> bytes:
        """Record the request, and return the message that ends its stream: the provider's, or an error."""
        if relay.refused is not None:
            return await self._withheld(trace, relay, relay.refused)
        scanner, request = relay.scanner, trace.call.request
        if (failure := relay.failure) is not None:
            await relay.aclose()
            trace.broken_off(
                failure.kind.value, scanner.usage, scanner.estimated_output_tokens, failure.detail
            )
            await self._record(trace, trace.event("interrupted", 200, error_code=INTERRUPTED))
            return stream_error(
                request.dialect,
                message=f"The provider's stream broke off: {failure.detail}",
                request_id=trace.call.request_id,
                usage=scanner.usage,
            )
        trace.succeeded(scanner.usage, scanner.estimated_output_tokens)
        event = trace.event(
            "succeeded", 200, finish_reason=scanner.finish_reason, answer=scanner.collected_text
        )
        if (problem := await self._record(trace, event)) is None:
            return relay.closing
        refused = unmetered(trace, problem)
        return stream_error(
            request.dialect,
            message=refused.message,
            request_id=trace.call.request_id,
            code=refused.code,
            status=refused.status,
        )

    async def _withheld(self, trace: Trace, relay: AnyRelay, refused: Refused) -> bytes:
        """Record a stream whose rest may not leave, and return the error that ends it."""
        await relay.aclose()
        scanner = relay.scanner
        trace.broken_off("cancelled", scanner.usage, scanner.estimated_output_tokens, refused.code)
        await self._record(trace, trace.event("failed", refused.status, error_code=refused.code))
        return stream_error(
            trace.call.request.dialect,
            message=refused.message,
            request_id=trace.call.request_id,
            code=refused.code,
            status=refused.status,
            usage=scanner.usage,
        )

    async def _client_gone(self, trace: Trace, relay: AnyRelay) -> None:
        if relay.drain_s > 0:
            with contextlib.suppress(TimeoutError, UpstreamFailure):
                await asyncio.wait_for(relay.drain(), relay.drain_s)
        await relay.aclose()
        scanner = relay.scanner
        if scanner.terminated:
            trace.succeeded(scanner.usage, scanner.estimated_output_tokens)
        else:
            detail = "the client left during the answer"
            trace.broken_off("cancelled", scanner.usage, scanner.estimated_output_tokens, detail)
        await self._settle(trace, trace.event("cancelled", 499, error_code="client_gone"))

    async def _record(self, trace: Trace, event: AppendRequest) -> Unavailable | None:
        """Store the record before the answer leaves; when that fails, say why and keep on trying."""
        if trace.call.request.operation == "count_tokens":
            return None
        try:
            await self._env.append(event)
        except Unavailable as error:
            self._later(self._settle(trace, event))
            return error
        self._shadows.follow(trace, trace.settled(event))
        return None

    async def _settle(self, trace: Trace, event: AppendRequest) -> None:
        """Store a record that nobody waits for any more, for as long as it takes; twice is once."""
        while trace.call.request.operation != "count_tokens":
            try:
                await self._env.append(event)
            except Unavailable:
                await asyncio.sleep(SETTLE_AGAIN_S)
                continue
            except BaseException:
                trace.admitted.release()
                raise
            trace.settled(event)
            return

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="settle")
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)


def unmetered(trace: Trace, problem: Unavailable) -> Refused:
    """Return the refusal of an answer that could not be recorded, for nothing leaves unmetered."""
    message = f"The answer could not be recorded: {problem.message}"
    return Refused(503, "metering_unavailable", message, headers=trace.headers())
