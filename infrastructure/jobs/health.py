"""Gives `model-health-check` what it needs of the outside world: read models, and opt-in probes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from application.orchestration.specs import ProviderSpecs
from application.ports import Clock, EventLog
from application.processes.model_health import ModelHealthCheck, Prober
from domain.kernel.request_record import Attempt
from domain.orchestration.events import ProviderRegistered, ProviderRemoved
from domain.orchestration.health import Model, SeenAttempt
from infrastructure.providers.sdk_probe import ProbeResult, probe
from projections.orchestration.health_queries import judged_models
from projections.orchestration.live import ProviderDirectory
from projections.usage.attempts import recent_attempts

AT_ONCE = 2
TYPES = (ProviderRegistered.TYPE, ProviderRemoved.TYPE)
_STATUS_OF = {
    "RateLimitError": 429,
    "AuthenticationError": 401,
    "PermissionDeniedError": 403,
    "NotFoundError": 404,
    "BadRequestError": 400,
    "UnprocessableEntityError": 422,
}
_KIND_OF = {
    "APIConnectionError": "refused",
    "APITimeoutError": "timeout_first_byte",
    "TimeoutError": "timeout_first_byte",
    "EgressForbidden": "egress_forbidden",
}


def model_health_check(
    log: EventLog, system: AsyncEngine, clock: Clock, prober: Prober | None = None
) -> ModelHealthCheck:
    """Return the workflow's handler; `system` connects as `aios_system`, which sees every tenant."""

    async def attempts(since: datetime, until: datetime) -> Sequence[SeenAttempt]:
        async with system.connect() as conn:
            return await recent_attempts(conn, since, until)

    async def judged() -> Sequence[Model]:
        async with system.connect() as conn:
            return await judged_models(conn)

    return ModelHealthCheck(log, attempts, judged, clock, prober)


class SdkProber:
    """Implements `application.processes.model_health.Prober` with the providers' own SDKs, two at a time."""

    def __init__(self, log: EventLog, specs: ProviderSpecs) -> None:
        self._log = log
        self._specs = specs
        self._directory = ProviderDirectory(())
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def models(self) -> Sequence[Model]:
        """Return the models that may be probed, as the log has them now."""
        directory, tenants = ProviderDirectory(()), set()
        async for envelope in self._log.read(types=TYPES):
            directory.apply(envelope)
            tenants.add(envelope.tenant)
        self._directory = directory
        return [
            (tenant, connection.name, model.name)
            for tenant in sorted(tenants)
            for connection in directory.connections(tenant)
            if connection.allow_probe
            for model in connection.models
        ]

    async def ask(self, model: Model) -> Attempt | None:
        """Ask one of `models()`; None when the probing process itself did not work."""
        tenant, provider, name = model
        connection = self._directory.connection(tenant, provider)
        if connection is None or not connection.allow_probe:
            return None
        async with self._turn:
            result = await probe(self._specs.of(tenant, connection), model=name)
        return _attempt(provider, name, result)


def _attempt(provider: str, model: str, result: ProbeResult) -> Attempt | None:
    """Return a probe's result as an attempt; None when the probe itself did not work."""
    if result.error == "ProbeFailed":
        return None
    kind = "ok" if result.ok else _KIND_OF.get(result.error, "status")
    return Attempt(
        provider=provider,
        model=model,
        outcome=kind,
        started_ms=0,
        duration_ms=round(result.latency_s * 1000),
        status=_STATUS_OF.get(result.error, 500) if kind == "status" else None,
    )
