"""The workflow `model-health-check`: judges models by what requests met, and records what changed.

It crosses contexts: a run of workflows reads attempts of usage and writes the health of orchestration. It
never makes a call that may be billed, but to providers that were registered with `allow_probe`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from application.bus import Caller, Work
from application.ports import Clock, EventLog
from application.workflows.running import WorkflowRun
from domain.kernel.errors import VersionConflict
from domain.kernel.names import DEFAULT_TENANT
from domain.kernel.request_record import Attempt
from domain.orchestration.health import (
    BASELINE,
    WINDOW,
    Assessment,
    Model,
    ModelHealth,
    Sample,
    SeenAttempt,
    assess,
    sample_of,
    samples_by_model,
)

MOST_PROBES = 20
RecentAttempts = Callable[[datetime, datetime], Awaitable[Sequence[SeenAttempt]]]
"""All tenants' attempts that ended in [since, until), oldest first; may lag seconds behind the log."""

JudgedModels = Callable[[], Awaitable[Sequence[Model]]]
"""Models whose recorded status is not `unknown`; may lag seconds behind the log."""


class Prober(Protocol):
    """Makes calls that may be billed, of providers that were registered with `allow_probe` and no others."""

    async def models(self) -> Sequence[Model]:
        """Return the models that may be probed."""
        ...

    async def ask(self, model: Model) -> Attempt | None:
        """Ask a model for a few tokens; None when it cannot be asked from here."""
        ...


class ModelHealthCheck:
    """The handler of the workflow."""

    def __init__(
        self,
        log: EventLog,
        attempts: RecentAttempts,
        judged: JudgedModels,
        clock: Clock,
        prober: Prober | None = None,
    ) -> None:
        self._log = log
        self._attempts = attempts
        self._judged = judged
        self._clock = clock
        self._prober = prober

    async def __call__(self, run: WorkflowRun) -> Mapping[str, int]:
        """Judge every model that was used of late, has a status, or may be probed; returns counts."""
        now = self._clock()
        samples = samples_by_model(await self._attempts(now - WINDOW - BASELINE, now))
        for model in await self._judged():
            samples.setdefault(model, [])
        probed = await self._probe_quiet(run, samples, now)
        samples = {model: found for model, found in samples.items() if concerns(run, model)}
        changed = 0
        for model, found in samples.items():
            changed += await self._judge(run, model, found, now)
        return {"models": len(samples), "changed": changed, "probed": probed}

    async def _judge(self, run: WorkflowRun, model: Model, samples: Sequence[Sample], now: datetime) -> bool:
        tenant, provider, name = model
        caller = Caller(
            tenant=tenant,
            actor=f"system/{run.definition.name}",
            roles=frozenset(),
            correlation=run.correlation,
            command_id=run.step(f"{provider}/{name}"),
        )
        work = Work(self._log, caller, now)
        health = await work.load(ModelHealth, f"{provider}/{name}")
        if not health.judge(provider, name, _assess(samples, health, now), now):
            return False
        try:
            await work.save(health)
        except VersionConflict:  # somebody else judged it at the same time
            return False
        return not work.duplicate

    async def _probe_quiet(self, run: WorkflowRun, samples: dict[Model, list[Sample]], now: datetime) -> int:
        """Probe models that allow it and had no request in the window; adds what was found to `samples`."""
        if self._prober is None:
            return 0
        quiet = [
            model
            for model in await self._prober.models()
            if concerns(run, model) and not any(s.at > now - WINDOW for s in samples.get(model, ()))
        ][:MOST_PROBES]
        answers = await asyncio.gather(*(self._prober.ask(model) for model in quiet))
        for model, attempt in zip(quiet, answers, strict=True):
            sample = sample_of(now, attempt) if attempt else None
            if sample:
                samples.setdefault(model, []).append(sample)
        return sum(answer is not None for answer in answers)


def _assess(samples: Sequence[Sample], health: ModelHealth, now: datetime) -> Assessment:
    return assess(samples, previous=health.status, now=now, since=health.changed_at)


def concerns(run: WorkflowRun, model: Model) -> bool:
    """Tell whether a run looks at a model: the default tenant's at all, another tenant's at its own."""
    return run.tenant in (DEFAULT_TENANT, model[0])
