"""Turns changes of live health into events, once however many processes saw them."""

from __future__ import annotations

from uuid import uuid4

from application.bus import Caller, Work
from application.orchestration.health import Change
from application.ports import Clock, EventLog
from domain.kernel.errors import VersionConflict
from domain.orchestration.breaker import WINDOW_S
from domain.orchestration.health import Assessment, ModelHealth


class HealthRecorder:
    """Stores a change as an event of the tenant whose traffic brought it about."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    async def __call__(self, change: Change) -> None:
        """Record a change unless the recorded status is that already. Raises Unavailable."""
        key, figures, now = change.key, change.figures, self._clock()
        caller = Caller(
            tenant=key.tenant,
            actor="system/gateway",
            roles=frozenset(),
            correlation="health",
            command_id=uuid4().hex,
        )
        work = Work(self._log, caller, now)
        health = await work.load(ModelHealth, f"{key.provider}/{key.model}")
        found = Assessment(
            status=change.status,
            reason=change.reason,
            window_s=WINDOW_S,
            requests=figures.requests,
            error_rate=figures.error_rate,
            avg_latency_ms=figures.avg_ms,
            p50_latency_ms=figures.p50_ms,
            p95_latency_ms=figures.p95_ms,
        )
        if health.judge(key.provider, key.model, found, now):
            try:
                await work.save(health)
            except VersionConflict:  # another process saw the same and was first
                return
