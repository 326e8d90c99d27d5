"""The scheduler: one tick a slot, made up for by policy, under each tenant's settings."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from domain.kernel.names import DEFAULT_TENANT
from domain.tenancy.events import TenantCreated
from domain.workflows.catalogue import WorkflowDefinition, by_name
from domain.workflows.events import TickRecorded, WorkflowConfigured
from domain.workflows.schedule import CatchUp
from infrastructure.jobs.ledger import TickLedger
from infrastructure.jobs.plans import Plans
from infrastructure.jobs.scheduler import Scheduler
from tests.infrastructure.jobs.bench import Bench, going
from tests.waiting import until

NOON = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def sweep(catch_up: CatchUp = "latest", scope: str = "installation") -> WorkflowDefinition:
    return WorkflowDefinition(
        name="sweep",
        title="Sweeps",
        interval_s=600,
        catch_up=catch_up,
        scope=scope,  # type: ignore[arg-type]  # a test's shorthand
    )


def configured(
    at: datetime, *, enabled: bool = True, interval_s: int | None = None, cron: str | None = None
) -> WorkflowConfigured:
    return WorkflowConfigured(
        workflow="sweep", enabled=enabled, interval_s=interval_s, cron=cron, configured_at=at
    )


class Clockwork:
    """A scheduler whose clock a test moves; several share one log and one ledger."""

    def __init__(self, bench: Bench, definition: WorkflowDefinition, at: datetime = NOON) -> None:
        self.now = at
        plans = Plans(bench.store.tail, by_name([definition]))
        ledger = TickLedger(bench.pool)
        self.scheduler = Scheduler(plans, ledger, bench.store.log, lambda: self.now, poll_s=0.02)

    async def at(self, moment: datetime) -> None:
        """Let the scheduler look at a moment."""
        self.now = moment
        await self.scheduler.tick_due()


async def slots(bench: Bench, tenant: str = DEFAULT_TENANT) -> list[datetime]:
    """Return the slots that were ticked for a tenant, in log order."""
    found = bench.store.log.read(types=[TickRecorded.TYPE], tenant=tenant)
    return [envelope.event.slot async for envelope in found]


async def test_a_new_schedule_starts_with_its_next_slot(bench: Bench) -> None:
    clock = Clockwork(bench, sweep())
    await clock.at(NOON + 5 * MINUTE)
    assert await slots(bench) == []
    for minute in (6, 9, 10, 11, 19, 20):
        await clock.at(NOON + minute * MINUTE)
    assert await slots(bench) == [NOON + 10 * MINUTE, NOON + 20 * MINUTE]


async def test_every_tick_stands_in_the_ledger_with_its_event(bench: Bench) -> None:
    clock = Clockwork(bench, sweep())
    await clock.at(NOON)
    await clock.at(NOON + 10 * MINUTE)
    [event] = [e async for e in bench.store.log.read(types=[TickRecorded.TYPE])]
    ledger = "SELECT slot, position FROM schedule_ticks WHERE schedule = 'default/sweep' ORDER BY slot"
    assert await bench.rows(ledger) == [(NOON, None), (NOON + 10 * MINUTE, event.position)]
    assert (event.actor, event.correlation) == ("system/scheduler", event.event.run_id)


async def test_two_schedulers_tick_each_slot_once(bench: Bench) -> None:
    # given two that run at once on clocks that race through a day
    pair = [Clockwork(bench, sweep("all")), Clockwork(bench, sweep("all"))]
    await pair[0].at(NOON)
    async with going(pair[0].scheduler.run()), going(pair[1].scheduler.run()):
        for step in range(1, 25):
            for number, each in enumerate(pair):
                each.now = NOON + timedelta(hours=step, seconds=7 * number)
            await asyncio.sleep(0.03)

        async def all_there() -> bool:
            return len(await slots(bench)) >= 144

        # then
        await until(all_there, "a day of ticks")
    assert await slots(bench) == [NOON + n * 10 * MINUTE for n in range(1, 145)]


@pytest.mark.parametrize(("catch_up", "made_up_for"), [("latest", 1), ("skip", 0), ("all", 36)])
async def test_six_hours_of_downtime_are_made_up_for_by_policy(
    bench: Bench, catch_up: CatchUp, made_up_for: int
) -> None:
    # given a scheduler that stopped
    await Clockwork(bench, sweep(catch_up)).at(NOON)
    back = NOON + timedelta(hours=6, minutes=5)
    # when another one starts
    clock = Clockwork(bench, sweep(catch_up))
    for second in range(3):
        await clock.at(back + timedelta(seconds=second))
    missed = await slots(bench)
    # then
    assert len(missed) == made_up_for
    assert missed[-1:] == [NOON + timedelta(hours=6)][: len(missed)]
    await clock.at(NOON + timedelta(hours=6, minutes=10))
    assert await slots(bench) == [*missed, NOON + timedelta(hours=6, minutes=10)]


async def test_a_tick_whose_ledger_row_was_lost_is_not_doubled(bench: Bench) -> None:
    # given a scheduler that died between the event and the ledger
    await Clockwork(bench, sweep()).at(NOON)
    await Clockwork(bench, sweep()).at(NOON + 10 * MINUTE)
    async with bench.pool.connection() as conn:
        await conn.execute("DELETE FROM schedule_ticks WHERE position IS NOT NULL")
    # when
    await Clockwork(bench, sweep()).at(NOON + 11 * MINUTE)
    # then
    assert await slots(bench) == [NOON + 10 * MINUTE]
    assert len(await bench.rows("SELECT 1 FROM schedule_ticks WHERE position IS NOT NULL")) == 1


async def test_a_tenants_workflow_runs_for_each_tenant_under_its_own_settings(bench: Bench) -> None:
    # given
    for tenant in ("acme", "beta", "quiet"):
        await bench.append(TenantCreated(tenant_id=tenant, name=tenant, created_at=NOON), tenant)
    await bench.append(configured(NOON, interval_s=300), "beta")
    await bench.append(configured(NOON, enabled=False), "quiet")
    clock = Clockwork(bench, sweep(scope="tenant"))
    # when
    for minute in (0, 5, 10):
        await clock.at(NOON + minute * MINUTE)
    # then
    assert await slots(bench, "acme") == [NOON + 10 * MINUTE]
    assert await slots(bench, "beta") == [NOON + 5 * MINUTE, NOON + 10 * MINUTE]
    assert await slots(bench, "quiet") == []
    assert await slots(bench) == []


async def test_what_was_missed_while_disabled_is_not_made_up_for(bench: Bench) -> None:
    # given
    clock = Clockwork(bench, sweep("all"))
    await clock.at(NOON)
    await bench.append(configured(NOON + MINUTE, enabled=False), DEFAULT_TENANT)
    await clock.at(NOON + 60 * MINUTE)
    assert await slots(bench) == []
    # when
    await bench.append(configured(NOON + 65 * MINUTE, cron="30 * * * *"), DEFAULT_TENANT)
    await clock.at(NOON + 70 * MINUTE)
    await clock.at(NOON + 91 * MINUTE)
    # then
    assert await slots(bench) == [NOON + 90 * MINUTE]


async def test_a_cron_text_that_cannot_be_read_stops_no_other_schedule(bench: Bench) -> None:
    for tenant, cron in (("acme", "whenever"), ("beta", None)):
        await bench.append(TenantCreated(tenant_id=tenant, name=tenant, created_at=NOON), tenant)
        await bench.append(configured(NOON, cron=cron), tenant)
    clock = Clockwork(bench, sweep(scope="tenant"))
    await clock.at(NOON)
    await clock.at(NOON + 10 * MINUTE)
    assert await slots(bench, "beta") == [NOON + 10 * MINUTE]
