"""Runs for tests: their definition, a clock that moves by itself, locks in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from application.workflows.running import WorkflowRun
from domain.workflows.catalogue import WorkflowDefinition

START = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
SWEEP = WorkflowDefinition(name="sweep", title="Sweeps the floor", interval_s=60, time_limit_s=0.2)


class LocksInMemory:
    """Implements `application.workflows.ports.Locks` for one event loop."""

    def __init__(self) -> None:
        self.held: set[str] = set()

    @asynccontextmanager
    async def try_hold(self, name: str) -> AsyncIterator[bool]:
        """Hold a name while the block runs."""
        if name in self.held:
            yield False
            return
        self.held.add(name)
        try:
            yield True
        finally:
            self.held.discard(name)


class Ticking:
    """A clock that is a second later each time it is asked."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def run_named(run_id: str, *, tenant: str = "acme", definition: WorkflowDefinition = SWEEP) -> WorkflowRun:
    """Return a run as the first attempt at its job sees it."""
    return WorkflowRun(
        run_id=run_id,
        tenant=tenant,
        definition=definition,
        due_at=START,
        correlation="r1",
        effect_id=f"effect-of-{run_id}",
    )
