"""Ticks schedules: one event in the log for each slot that is due, from which the outbox makes a job.

Any number of processes may run it at once; the ledger lets each slot be ticked by one of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from application.ports import AppendRequest, Clock, EventLog, NewEvent
from domain.kernel.errors import AiosError
from domain.workflows.events import TickRecorded
from domain.workflows.runs import run_of_slot, run_stream
from domain.workflows.schedule import due_slots
from infrastructure.jobs.ledger import TickLedger
from infrastructure.jobs.plans import Plans, Schedule

POLL_S = 1.0
logger = logging.getLogger(__name__)


class Scheduler:
    """Looks once a second what is due; asks the ledger only when a slot has come."""

    def __init__(
        self, plans: Plans, ledger: TickLedger, log: EventLog, clock: Clock, poll_s: float = POLL_S
    ) -> None:
        self._plans = plans
        self._ledger = ledger
        self._log = log
        self._clock = clock
        self._poll_s = poll_s
        self._next: dict[str, datetime] = {}
        self._seen_version = -1

    async def run(self) -> None:
        """Tick for ever; goes on after the database was away."""
        while True:
            try:
                await self.tick_due()
            except AiosError as error:
                logger.warning("scheduler: %s; trying again", error.message)
            await asyncio.sleep(self._poll_s)

    async def tick_due(self) -> None:
        """Tick everything that is due now under the newest settings.

        A schedule that fails is tried again the next time. Raises Unavailable when the log cannot be read.
        """
        await self._plans.catch_up()
        if self._plans.version != self._seen_version:
            self._next.clear()
            self._seen_version = self._plans.version
        for schedule in self._plans.schedules():
            now = self._clock()
            if now < self._next.get(schedule.key, now):
                continue
            try:
                await self._tick(schedule, now)
            except AiosError as error:
                logger.warning("schedule %s: %s; trying again", schedule.key, error.message)

    async def _tick(self, schedule: Schedule, now: datetime) -> None:
        definition, timetable = schedule.definition, schedule.timetable
        newest = timetable.newest(now)
        grace = min(definition.grace, (timetable.after(now) - newest) / 2)

        def decide(last: datetime) -> Sequence[datetime]:
            done = max(last, schedule.since or last)
            return due_slots(timetable, last=done, now=now, catch_up=definition.catch_up, grace=grace)

        async def append(slot: datetime) -> int:
            return await self._record(schedule, slot)

        last = await self._ledger.tick(schedule.key, newest, decide, append)
        behind = definition.catch_up == "all" and decide(last)
        self._next[schedule.key] = now if behind else timetable.after(max(last, newest))

    async def _record(self, schedule: Schedule, slot: datetime) -> int:
        name, tenant = schedule.definition.name, schedule.tenant
        run_id = run_of_slot(tenant, name, slot)
        stored = await self._log.append(
            AppendRequest(
                tenant=tenant,
                command_id=f"tick/{name}/{slot.isoformat()}",
                events=(
                    NewEvent(
                        run_stream(tenant, run_id), TickRecorded(workflow=name, run_id=run_id, slot=slot)
                    ),
                ),
                correlation=run_id,
                actor="system/scheduler",
            )
        )
        return stored.first_position
