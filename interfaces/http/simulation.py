"""What-if: yesterday's requests under a draft policy."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec
from litestar import Router
from litestar.params import JSONBody
from msgspec import Meta

from application.orchestration.commands import SetModelPolicy
from application.processes.simulation_answers import Simulation
from domain.kernel.errors import FieldError, Forbidden, InvalidInput
from domain.orchestration.policy import Policy
from domain.orchestration.policy_check import check_policy
from interfaces.http.parameters import period
from interfaces.http.request import ApiRequest
from interfaces.http.routing import READERS, create
from projections.usage.past_requests import past_requests

MOST = 50_000
USUAL = 10_000
A_DAY = timedelta(days=1)


class SimulatePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft policy and the window to replay: the last day, when it is left off; at most `limit` requests.

    The newest requests of the policy's workspace are replayed.
    """

    policy: SetModelPolicy
    since: Annotated[str, Meta(max_length=40)] | None = msgspec.field(name="from", default=None)
    until: Annotated[str, Meta(max_length=40)] | None = msgspec.field(name="to", default=None)
    limit: Annotated[int, Meta(ge=1, le=MOST)] = USUAL


@create(
    "/model-policy/simulate",
    roles=READERS,
    status_code=200,
    summary="Replay recorded requests against a draft policy",
    operation_id="simulateModelPolicy",
)
async def simulate(request: ApiRequest, data: JSONBody[SimulatePolicy]) -> Simulation:
    """Answer where each request would have gone, at what cost and latency, and which would be refused.

    Nobody is called and nothing is stored. Prices, providers and measures are those of now; targets that had
    to rest at the time of a request rest again.
    """
    workspace, own = data.policy.workspace_id, request.caller.workspace
    if own is not None and own != workspace:
        raise Forbidden(f"this key is bound to workspace '{own}' and cannot simulate '{workspace}'")
    policy = _draft(data.policy)
    start, end = period(data.since, data.until)
    end = end or request.services.clock()
    start = start or end - A_DAY
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = past_requests(conn, workspace, start, end, data.limit + 1)
        return await request.services.simulator.run(
            request.caller.tenant, workspace, policy, found, data.limit
        )


def _draft(given: SetModelPolicy) -> Policy:
    policy = msgspec.convert(given, Policy, from_attributes=True)
    try:
        check_policy(policy)
    except InvalidInput as error:
        errors = [FieldError(f"/policy{each.pointer}", each.detail) for each in error.errors]
        raise InvalidInput(f"/policy{error.message}", errors) from None
    return policy


router = Router("/", route_handlers=[simulate], tags=["orchestration"])
