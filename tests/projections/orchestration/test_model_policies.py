"""Versions of policies from a stream of events: now, at a version, at a time, and as history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from application.ports import AppendRequest, NewEvent
from domain.orchestration.events import ModelPolicySet
from domain.orchestration.policy import ActivePolicy, Arm, Experiment, Policy, Rule
from domain.orchestration.policy_diff import Change
from projections.orchestration.project import MODEL_POLICIES
from projections.orchestration.queries import get_model_policy, list_model_policies, model_policy_history
from projections.scope import tenant_connection
from tests.fakes.event_log import InMemoryEventLog
from tests.projections.conftest import Engines, Running, reached

NOW = datetime(2030, 1, 1, tzinfo=UTC)
EXPERIMENT = Experiment(name="e", arms=(Arm(model="a"), Arm(model="b", weight=0.25)))
FULL = Policy(
    rules=(Rule(segment="*", provider="p", model="m", fallback=("n",), experiment=EXPERIMENT),),
    fallback_strategy="quality",
)


async def record(log: InMemoryEventLog, tenant: str, workspace: str, *policies: Policy) -> None:
    for number, policy in enumerate(policies, 1):
        event = ModelPolicySet(
            workspace_id=workspace, version=number, set_at=NOW + timedelta(hours=number), policy=policy
        )
        stream = NewEvent(f"{tenant}/model-policy/{workspace}", event, number - 1)
        await log.append(
            AppendRequest(
                tenant=tenant, command_id=f"{workspace}{number}", events=(stream,), actor=f"key/{number}"
            )
        )


async def test_every_version_can_be_read_at_any_time(engines: Engines, running: Running):
    log = InMemoryEventLog()
    await record(log, "acme", "team", Policy(), FULL, Policy(record_content=True))
    await record(log, "beta", "team", FULL)
    async with running(log, [MODEL_POLICIES]):
        await reached(engines, "model_policies", await log.head())
        async with tenant_connection(engines.app, "acme") as conn:
            assert await get_model_policy(conn, "team", version=2) == ActivePolicy(
                workspace_id="team", version=2, set_by="key/2", set_at=NOW + timedelta(hours=2), policy=FULL
            )
            newest = await get_model_policy(conn, "team")
            between = await get_model_policy(conn, "team", at=NOW + timedelta(hours=2, minutes=59))
            assert (newest and newest.version, between and between.version) == (3, 2)
            assert await get_model_policy(conn, "team", at=NOW) is None
            assert await get_model_policy(conn, "team", version=4) is None
            assert await get_model_policy(conn, "other") is None


async def test_history_tells_what_changed_newest_first(engines: Engines, running: Running):
    log = InMemoryEventLog()
    await record(log, "acme", "team", Policy(), Policy(record_content=True), Policy(record_content=True))
    async with running(log, [MODEL_POLICIES]):
        await reached(engines, "model_policies", await log.head())
        async with tenant_connection(engines.app, "acme") as conn:
            history = await model_policy_history(conn, "team", limit=50)
            assert [(item.version, item.set_by) for item in history] == [
                (3, "key/3"),
                (2, "key/2"),
                (1, "key/1"),
            ]
            assert history[0].diff == ()
            assert history[1].diff == (Change("/record_content", False, True),)
            said = {
                f"/{name}" for name, value in msgspec.structs.asdict(Policy()).items() if value is not None
            }
            assert {change.path for change in history[2].diff} == said
            assert {change.old for change in history[2].diff} == {None}
            first = await model_policy_history(conn, "team", limit=1)
            assert first + await model_policy_history(conn, "team", limit=9, before=3) == history


async def test_the_policies_in_force_are_listed_by_workspace(engines: Engines, running: Running):
    log = InMemoryEventLog()
    await record(log, "acme", "b", Policy(), FULL)
    await record(log, "acme", "a", FULL)
    async with running(log, [MODEL_POLICIES]):
        await reached(engines, "model_policies", await log.head())
        async with tenant_connection(engines.app, "acme") as conn:
            listed = await list_model_policies(conn, limit=9)
            assert [(active.workspace_id, active.version) for active in listed] == [("a", 1), ("b", 2)]
            assert await list_model_policies(conn, limit=9, after="a") == listed[1:]
