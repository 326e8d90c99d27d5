"""The workflow `model-health-check`: judges by what requests met, records changes, calls nobody unasked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from application.processes.model_health import ModelHealthCheck
from domain.kernel.events import Envelope
from domain.kernel.request_record import Attempt
from domain.orchestration.health import Model, SeenAttempt
from domain.orchestration.health_events import ModelHealthChanged
from domain.workflows.catalogue import MODEL_HEALTH_CHECK
from tests.application.workflows.runs import START, run_named
from tests.fakes.event_log import InMemoryEventLog

GPT: Model = ("acme", "openai", "gpt-5")
CLAUDE: Model = ("other", "anthropic", "claude")


def attempt(model: Model, outcome: str = "ok", status: int | None = None) -> Attempt:
    return Attempt(
        provider=model[1], model=model[2], outcome=outcome, started_ms=0, duration_ms=50, status=status
    )


class Prober:
    """Implements the port; remembers whom it asked."""

    def __init__(self, models: Sequence[Model]) -> None:
        self._models = models
        self.asked: list[Model] = []

    async def models(self) -> Sequence[Model]:
        return self._models

    async def ask(self, model: Model) -> Attempt | None:
        self.asked.append(model)
        return attempt(model)


class Clinic:
    """Runs the check on attempts that a test makes up."""

    def __init__(self, prober: Prober | None = None) -> None:
        self.log = InMemoryEventLog()
        self.now = START
        self._seen: list[SeenAttempt] = []
        self._check = ModelHealthCheck(self.log, self._attempts, self._judged, lambda: self.now, prober)
        self._runs = 0

    def met(self, model: Model, outcome: str = "ok", *, times: int = 1, status: int | None = None) -> None:
        """Let requests meet this at the present time."""
        self._seen += [(model[0], self.now, attempt(model, outcome, status)) for _ in range(times)]

    async def check(self, tenant: str = "default", run_id: str | None = None) -> dict[str, int]:
        """Run the check a moment later."""
        self.now += timedelta(seconds=1)
        self._runs += 1
        name = run_id or f"run-{self._runs}"
        return dict(await self._check(run_named(name, tenant=tenant, definition=MODEL_HEALTH_CHECK)))

    @property
    def changes(self) -> list[Envelope[ModelHealthChanged]]:
        """Return what was recorded."""
        return [e for e in self.log.envelopes if isinstance(e.event, ModelHealthChanged)]

    async def _attempts(self, since: datetime, until: datetime) -> Sequence[SeenAttempt]:
        return [seen for seen in self._seen if since <= seen[1] < until]

    async def _judged(self) -> Sequence[Model]:
        last = {(e.tenant, e.event.provider, e.event.model): e.event.status for e in self.changes}
        return [model for model, status in last.items() if status != "unknown"]


async def test_every_models_change_is_recorded_for_its_own_tenant() -> None:
    clinic = Clinic()
    clinic.met(GPT, times=3)
    clinic.met(CLAUDE, "status", status=503, times=5)
    counts = await clinic.check()
    assert counts == {"models": 2, "changed": 2, "probed": 0}
    assert [(e.tenant, e.event.model, e.event.status) for e in clinic.changes] == [
        ("acme", "gpt-5", "healthy"),
        ("other", "claude", "unhealthy"),
    ]


async def test_an_unchanged_status_is_no_event() -> None:
    clinic = Clinic()
    clinic.met(GPT, times=3)
    await clinic.check()
    clinic.met(GPT, times=3)
    assert (await clinic.check())["changed"] == 0
    assert len(clinic.changes) == 1


async def test_a_run_that_is_repeated_records_once() -> None:
    clinic = Clinic()
    clinic.met(GPT, times=3)
    await clinic.check(run_id="a")
    await clinic.check(run_id="a")
    assert len(clinic.changes) == 1


async def test_a_model_nobody_asks_any_more_becomes_unknown() -> None:
    clinic = Clinic()
    clinic.met(GPT, "refused", times=5)
    await clinic.check()
    clinic.now += timedelta(hours=2)
    await clinic.check()
    await clinic.check()
    assert [e.event.status for e in clinic.changes] == ["unhealthy", "unknown"]


async def test_a_tenants_own_run_looks_at_its_own_models_only() -> None:
    clinic = Clinic(Prober([CLAUDE]))
    clinic.met(GPT, times=3)
    clinic.met(CLAUDE, times=3)
    assert await clinic.check(tenant="acme") == {"models": 1, "changed": 1, "probed": 0}
    assert [e.tenant for e in clinic.changes] == ["acme"]


async def test_only_quiet_models_that_allow_it_are_probed() -> None:
    # given one provider that allows probes, whose models rest
    prober = Prober([("acme", "own", "resting"), ("acme", "own", "busy")])
    clinic = Clinic(prober)
    clinic.met(("acme", "own", "busy"))
    clinic.met(GPT)
    # when
    counts = await clinic.check()
    # then
    assert prober.asked == [("acme", "own", "resting")]
    assert counts == {"models": 3, "changed": 3, "probed": 1}


async def test_without_permission_nobody_is_called() -> None:
    clinic = Clinic(Prober([]))
    assert await clinic.check() == {"models": 0, "changed": 0, "probed": 0}
    assert clinic.changes == []


@pytest.mark.parametrize("outcome", ["cancelled", "not_ready"])
async def test_what_is_not_the_providers_doing_judges_nobody(outcome: str) -> None:
    clinic = Clinic()
    clinic.met(GPT, outcome, times=20)
    assert (await clinic.check())["models"] == 0
