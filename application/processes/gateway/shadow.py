"""Shadows: copies of requests that go to an experiment's shadow target after the caller has its answer.

A shadow has a record of its own kind, is admitted by the quotas and feeds the health of its target. What it
does to nobody: it never delays a caller, and counts in no usage, success rate or latency but its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import cast

import msgspec
import structlog

from application.orchestration.dialects.model import Untranslatable
from application.orchestration.upstream import Upstream
from application.ports import AppendRequest, NewEvent
from application.processes.gateway.admission import Admission
from application.processes.gateway.attempts import Attempts
from application.processes.gateway.call import Environment, GatewayCall
from application.processes.gateway.outcome import Refused
from application.processes.gateway.relay import open_relay
from application.processes.gateway.trace import Trace
from application.processes.gateway.whole import read_whole
from domain.kernel.errors import Unavailable
from domain.kernel.request_record import Decision, Outcome, RequestRecorded, ShadowRecorded
from domain.orchestration.catalogue import Target
from domain.orchestration.routing import Route

AT_ONCE = 16
MOST_WAITING = 128
SUFFIX = "_shadow"
log = structlog.get_logger("shadows")
Settle = Callable[[Trace, AppendRequest], Awaitable[None]]


class Shadows:
    """The shadows of one process, at most AT_ONCE under way; `settle` stores a record for certain."""

    def __init__(self, env: Environment, upstream: Upstream, admission: Admission, settle: Settle) -> None:
        self._env = env
        self._upstream = upstream
        self._admission = admission
        self._settle = settle
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, trace: Trace, record: RequestRecorded) -> None:
        """Begin the shadow of a request that was just recorded, where its route has one; returns at once.

        What the caller did wrong is not repeated.
        """
        target = trace.route.shadow
        if target is None or not trace.attempts or 400 <= record.status < 500:
            return
        shadow = Trace(self._env, _copied(trace.call), _route(trace, target))
        room = len(self._tasks) < AT_ONCE + MOST_WAITING
        work = self._run(shadow) if room else self._end(shadow, "failed", 503, "no_room_for_shadow")
        task = asyncio.create_task(work, name="shadow")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Break off what runs; it is recorded as cancelled."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, shadow: Trace) -> None:
        try:
            async with self._turn:
                await self._serve(shadow)
        except Refused as refused:
            await self._end(shadow, "failed", refused.status, refused.code)
        except Untranslatable:
            await self._end(shadow, "failed", 400, "untranslatable")
        except Unavailable:
            await self._end(shadow, "failed", 503, "unavailable")
        except asyncio.CancelledError:
            shadow.broken_off("cancelled", None, 0, "the process ended")
            await self._end(shadow, "cancelled", 499, "process_ended")
            raise
        except Exception:
            log.exception("a shadow failed", request_id=shadow.call.request_id)
            shadow.broken_off("internal_error", None, 0, "the gateway failed")
            await self._end(shadow, "failed", 500, "internal_error")

    async def _serve(self, shadow: Trace) -> None:
        """Ask the target as the caller asked. Raises Refused, Untranslatable, Unavailable."""
        tenant, call = shadow.call.caller.tenant, shadow.call
        shadow.route = self._env.health.filter(tenant, shadow.route)
        if shadow.route.decision.least_bad:
            raise Refused(503, "shadow_resting", "the shadow target must rest")
        catalogue = self._env.directory.catalogue(tenant)
        shadow.admitted = await self._admission.admit(call, shadow.route, catalogue)
        if call.request.stream:
            await self._stream(shadow)
        else:
            answer = await Attempts(self._env, shadow).run(
                lambda spec, asked: read_whole(self._upstream, shadow, spec, asked)
            )
            shadow.succeeded(answer.usage, answer.estimated_output, answer.status)
            await self._end(shadow, "succeeded", answer.status)

    async def _stream(self, shadow: Trace) -> None:
        relay = await Attempts(self._env, shadow).run(
            lambda spec, asked: open_relay(self._upstream, shadow, spec, asked)
        )
        try:
            async for _ in relay.body():
                continue
        except BaseException:
            await relay.aclose()
            raise
        scanner = relay.scanner
        if (failure := relay.failure) is not None:
            await relay.aclose()
            shadow.broken_off(
                failure.kind.value, scanner.usage, scanner.estimated_output_tokens, failure.detail
            )
            await self._end(shadow, "interrupted", 200, "upstream_stream_interrupted")
            return
        await relay.read_out()
        shadow.succeeded(scanner.usage, scanner.estimated_output_tokens)
        await self._end(shadow, "succeeded", 200)

    async def _end(self, shadow: Trace, outcome: Outcome, status: int, error_code: str | None = None) -> None:
        """Store the record of a shadow, however long that takes."""
        stored = shadow.event(outcome, status, error_code=error_code)
        (new,) = stored.events
        recorded = cast("RequestRecorded", new.event)
        record = ShadowRecorded.of(recorded, shadow.call.request_id.removesuffix(SUFFIX))
        await self._settle(shadow, msgspec.structs.replace(stored, events=(NewEvent(new.stream_id, record),)))


def _copied(call: GatewayCall) -> GatewayCall:
    """Return the call as a shadow's own: from now on, under an id made from the request's."""
    now = time.monotonic()
    return msgspec.structs.replace(
        call,
        request_id=f"{call.request_id}{SUFFIX}",
        started=now,
        started_at=call.started_at + timedelta(seconds=now - call.started),
    )


def _route(trace: Trace, target: Target) -> Route:
    decision = trace.route.decision
    return Route(
        decision=Decision(
            requested_model=decision.requested_model,
            policy=decision.policy,
            rule=decision.rule,
            targets=(str(target),),
            why=f"{target}: the shadow of experiment '{decision.experiment}' for {trace.call.request_id}.",
            experiment=decision.experiment,
            arm=decision.arm,
        ),
        targets=(target,),
        idle_timeout_ms=trace.route.idle_timeout_ms,
        max_tokens=trace.route.max_tokens,
    )
