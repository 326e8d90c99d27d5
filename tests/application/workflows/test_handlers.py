"""What clients may ask of workflows."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from application.binding import bind
from application.workflows.answers import WorkflowSettings
from application.workflows.commands import ChangeWorkflow, RunWorkflow, WorkflowChange
from application.workflows.handlers import HANDLERS
from application.workflows.ports import WorkflowPorts
from domain.kernel.errors import Forbidden, InvalidInput, NotFound
from domain.workflows.events import RunRequested, WorkflowConfigured
from tests.application.office import START, Office

NAME = "model-health-check"


@pytest.fixture
def office() -> Office:
    return Office(bind(HANDLERS, WorkflowPorts(lambda text: None if text.count(" ") == 4 else "not cron")))


async def change(office: Office, tenant: str = "default", role: str = "operator", **fields: Any):
    command = ChangeWorkflow(name=NAME, change=WorkflowChange(**fields))
    return await office.send(command, role, tenant=tenant)


async def test_what_is_left_off_stays(office: Office) -> None:
    await change(office, interval_s=120)
    answer = await change(office, enabled=False)
    assert answer == WorkflowSettings(name=NAME, enabled=False, interval_s=120, cron=None)
    assert isinstance(office.events[-1].event, WorkflowConfigured)


async def test_a_cron_text_ends_the_interval_and_the_other_way_round(office: Office) -> None:
    await change(office, interval_s=120)
    assert (await change(office, cron="0 3 * * *")).interval_s is None
    assert (await change(office, interval_s=240)).cron is None


async def test_null_goes_back_to_how_it_is_built(office: Office) -> None:
    await change(office, cron="0 3 * * *")
    answer = await change(office, cron=None)
    assert (answer.interval_s, answer.cron) == (300, None)


async def test_an_unusable_cron_text_is_refused_by_name(office: Office) -> None:
    with pytest.raises(InvalidInput) as refused:
        await change(office, cron="every day")
    assert refused.value.errors[0].pointer == "/cron"
    assert office.events == []


async def test_an_empty_change_changes_nothing(office: Office) -> None:
    await change(office, enabled=UNSET)
    assert office.events == []


async def test_a_run_is_requested_once_for_one_command(office: Office) -> None:
    first = await office.send(RunWorkflow(name=NAME), "admin", command_id="fixed")
    again = await office.send(RunWorkflow(name=NAME), "admin", command_id="fixed")
    other = await office.send(RunWorkflow(name=NAME), "admin")
    assert first == again
    assert first.run_id != other.run_id
    assert (first.workflow, first.status, first.requested_at) == (NAME, "queued", START)
    assert [type(e.event) for e in office.events] == [RunRequested, RunRequested]


@pytest.mark.parametrize("role", ["auditor", "service", "platform"])
async def test_only_operators_and_administrators_may(office: Office, role: str) -> None:
    with pytest.raises(Forbidden):
        await change(office, role=role, enabled=False)
    with pytest.raises(Forbidden):
        await office.send(RunWorkflow(name=NAME), role)


async def test_the_installations_schedule_belongs_to_its_own_tenant(office: Office) -> None:
    with pytest.raises(Forbidden, match="whole installation"):
        await change(office, tenant="acme", enabled=False)
    accepted = await office.send(RunWorkflow(name=NAME), tenant="acme")
    assert accepted.workflow == NAME
    assert office.events[-1].tenant == "acme"


async def test_an_unknown_workflow_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound, match="make-coffee"):
        await office.send(RunWorkflow(name="make-coffee"))
