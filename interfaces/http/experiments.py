"""Experiments: their arms, how many requests each got, and what came of them, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from litestar import Router

from application.orchestration.measures import Arm, learned_shares, weight_shares
from domain.orchestration.experiments import Estimate, Tally, arm_names, mean_estimate, share_estimate
from domain.orchestration.policy import ActivePolicy, Method, Unit
from interfaces.http.pages import Page
from interfaces.http.request import ApiRequest
from interfaces.http.routing import USERS, read
from projections.orchestration.experiments_queries import arm_tallies
from projections.orchestration.queries import list_model_policies
from projections.orchestration.shadow_queries import ShadowSums, shadow_sums

MOST_WORKSPACES = 500


class ArmResults(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the requests assigned to one arm, whoever answered them; intervals are at 95 %.

    `share` is what the arm gets of new requests now, null when the policy no longer has it. `fell_back` of
    its requests were answered by another target. Latency is of successes, in ms; cost is per request, in
    millionths of a dollar; feedback is from -1 to 1.
    """

    arm: str
    weight: float | None
    share: float | None
    requests: int
    succeeded: int
    fell_back: int
    success_rate: Estimate
    latency_ms: Estimate
    cost_micros: Estimate
    feedback: Estimate


class ShadowResults(msgspec.Struct, frozen=True, kw_only=True):
    """What became of copies of the experiment's requests at a shadow target; intervals are at 95 %.

    `sent` of them called the target, the others were refused by a quota or found no room. They are no part of
    any arm's figures, of the usage or of the callers' latency.
    """

    target: str
    requests: int
    sent: int
    succeeded: int
    input_tokens: int
    output_tokens: int
    success_rate: Estimate
    latency_ms: Estimate
    cost_micros: Estimate

    @classmethod
    def of(cls, sums: ShadowSums) -> ShadowResults:
        """Return the sums as estimates."""
        return cls(
            target=sums.target,
            requests=sums.requests,
            sent=sums.sent,
            succeeded=sums.succeeded,
            input_tokens=sums.input_tokens,
            output_tokens=sums.output_tokens,
            success_rate=share_estimate(sums.succeeded, sums.sent),
            latency_ms=mean_estimate(sums.succeeded, sums.latency_ms, sums.latency_squares),
            cost_micros=mean_estimate(sums.priced, sums.cost_micros, sums.cost_squares),
        )


class ExperimentView(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment of a workspace; an ended one has results but no settings."""

    workspace_id: str
    name: str
    active: bool
    segment: str | None
    unit: Unit | None
    method: Method | None
    exploration_floor: float | None
    shadow: str | None
    requests: int
    arms: list[ArmResults]
    shadows: list[ShadowResults] = []


@read("/experiments", roles=USERS, summary="List experiments", operation_id="listExperiments")
async def list_experiments(request: ApiRequest) -> Page[ExperimentView]:
    """List the experiments of the policies in force, then those that ended, with their results."""
    await request.services.read_barrier()
    async with request.reading() as conn:
        tallies = await arm_tallies(conn)
        policies = await list_model_policies(conn, limit=MOST_WORKSPACES)
        shadows = await shadow_sums(conn)
    tenant, own = request.caller.tenant, request.caller.workspace
    running = [view for active in policies for view in _running(tenant, active, tallies)]
    known = {(view.workspace_id, view.name) for view in running}
    ended = _ended(tallies, known)
    views = [view for view in (*running, *ended) if own in {None, view.workspace_id}]
    return Page([_with_shadows(view, shadows) for view in views])


def _with_shadows(view: ExperimentView, sums: Iterable[ShadowSums]) -> ExperimentView:
    place = (view.workspace_id, view.name)
    found = [ShadowResults.of(each) for each in sums if (each.workspace, each.experiment) == place]
    return msgspec.structs.replace(view, shadows=found)


def _running(tenant: str, active: ActivePolicy, tallies: Mapping[Arm, Tally]) -> Iterable[ExperimentView]:
    learned = learned_shares(tenant, active, tallies)
    for rule in active.policy.rules:
        if (experiment := rule.experiment) is None:
            continue
        names = arm_names(rule)
        shares = learned.get(experiment.name, weight_shares(experiment))
        place = (tenant, active.workspace_id, experiment.name)
        arms = [
            _results(name, tallies.get((*place, name), Tally()), arm.weight, share)
            for name, arm, share in zip(names, experiment.arms, shares, strict=True)
        ]
        arms += [
            _results(key[3], tally)
            for key, tally in sorted(tallies.items(), key=lambda item: item[0])
            if key[:3] == place and key[3] not in names
        ]
        yield ExperimentView(
            workspace_id=active.workspace_id,
            name=experiment.name,
            active=True,
            segment=rule.segment,
            unit=experiment.unit,
            method=experiment.method,
            exploration_floor=experiment.exploration_floor,
            shadow=experiment.shadow,
            requests=sum(arm.requests for arm in arms),
            arms=arms,
        )


def _ended(tallies: Mapping[Arm, Tally], running: set[tuple[str, str]]) -> Iterable[ExperimentView]:
    found: dict[tuple[str, str], list[ArmResults]] = {}
    for (_, workspace, name, arm), tally in sorted(tallies.items(), key=lambda item: item[0]):
        if (workspace, name) not in running:
            found.setdefault((workspace, name), []).append(_results(arm, tally))
    for (workspace, name), arms in found.items():
        yield ExperimentView(
            workspace_id=workspace,
            name=name,
            active=False,
            segment=None,
            unit=None,
            method=None,
            exploration_floor=None,
            shadow=None,
            requests=sum(arm.requests for arm in arms),
            arms=arms,
        )


def _results(arm: str, tally: Tally, weight: float | None = None, share: float | None = None) -> ArmResults:
    return ArmResults(
        arm=arm,
        weight=weight,
        share=share,
        requests=tally.requests,
        succeeded=tally.succeeded,
        fell_back=tally.fell_back,
        success_rate=share_estimate(tally.succeeded, tally.requests),
        latency_ms=mean_estimate(tally.succeeded, tally.latency_ms, tally.latency_squares),
        cost_micros=mean_estimate(tally.priced, tally.cost_micros, tally.cost_squares),
        feedback=mean_estimate(tally.rated, tally.feedback, tally.feedback_squares),
    )


router = Router("/", route_handlers=[list_experiments], tags=["orchestration"])
