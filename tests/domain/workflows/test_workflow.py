"""The settings of a workflow."""

from __future__ import annotations

import pytest

from domain.kernel.errors import NotFound
from domain.workflows.catalogue import CATALOGUE, find
from domain.workflows.events import WorkflowConfigured
from domain.workflows.runs import run_of_request, run_of_slot
from domain.workflows.workflow import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S, Settings, Workflow
from tests.domain.given import AT, given, refused

NAME = "model-health-check"


def configured(*, enabled: bool = True, interval_s: int | None = None, cron: str | None = None):
    return WorkflowConfigured(
        workflow=NAME, enabled=enabled, interval_s=interval_s, cron=cron, configured_at=AT
    )


def test_a_change_holds_all_settings():
    decided = given(Workflow).when(lambda w: w.configure(NAME, Settings(enabled=False, interval_s=120), AT))
    decided.then(configured(enabled=False, interval_s=120))


def test_the_same_settings_again_change_nothing():
    before = configured(interval_s=120)
    given(Workflow, before).when(lambda w: w.configure(NAME, Settings(interval_s=120), AT)).then()


def test_interval_and_cron_exclude_each_other():
    both = Settings(interval_s=120, cron="0 3 * * *")
    given(Workflow).when(lambda w: w.configure(NAME, both, AT)).then_unusable("/cron")


@pytest.mark.parametrize("interval", [0, -60, SHORTEST_INTERVAL_S - 1, LONGEST_INTERVAL_S + 1])
def test_an_interval_has_bounds(interval: int):
    decided = given(Workflow).when(lambda w: w.configure(NAME, Settings(interval_s=interval), AT))
    decided.then_unusable("/interval_s")


def test_an_unknown_workflow_is_answered_with_the_known_ones():
    error = refused(NotFound, lambda: find("make-coffee"))
    assert "make-coffee" in error.message
    assert all(name in error.message for name in CATALOGUE)


def test_runs_are_named_by_their_cause():
    same = {run_of_slot("acme", NAME, AT), run_of_slot("acme", NAME, AT)}
    others = {run_of_slot("other", NAME, AT), run_of_request("acme", NAME, "c1")}
    assert len(same) == 1
    assert len(same | others) == 3
