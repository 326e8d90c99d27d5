"""What-if: decides a window's recorded requests anew, by a draft policy.

It crosses contexts: requests of usage are routed by orchestration and priced. The decision is the gateway's
own function, with the providers and measures of now; targets that had to rest at the time rest again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from application.orchestration.health import SKIPPED_FOR_NOW
from application.processes.gateway.call import Directory, Prices
from application.processes.simulation_answers import Simulation
from application.processes.simulation_tally import AT_ONCE, PastRequest, Redecided, Tally
from domain.kernel.errors import NotFound, Unavailable
from domain.kernel.request_record import Decision
from domain.orchestration.catalogue import Catalogue, Target
from domain.orchestration.policy import ActivePolicy, Policy
from domain.orchestration.routing import Measures, RouteRequest, decide


class Simulator:
    """Replays requests. `typical_ms` is the live median of a target, where the window does not tell one."""

    def __init__(
        self,
        directory: Directory,
        prices: Prices,
        default_target: Target,
        typical_ms: Callable[[str, Target], float | None],
    ) -> None:
        self._directory = directory
        self._prices = prices
        self._default = default_target
        self._typical_ms = typical_ms

    async def run(
        self, tenant: str, workspace: str, policy: Policy, requests: AsyncIterator[PastRequest], most: int
    ) -> Simulation:
        """Decide each request anew, up to `most` of them."""
        draft = ActivePolicy(
            workspace_id=workspace, version=0, set_by="draft", set_at=datetime.now(UTC), policy=policy
        )
        catalogue, measures = self._directory.catalogue(tenant), self._directory.measures(tenant)
        tally = Tally(tenant, self._prices, self._typical_ms)
        seen = 0
        async for past in requests:
            if seen == most:
                tally.truncated = True
                break
            seen += 1
            try:
                tally.add(self._decide(draft, catalogue, measures, past))
            except (NotFound, Unavailable) as error:
                code = "model_not_found" if isinstance(error, NotFound) else "no_target_available"
                tally.refuse(past, code, error.message)
            if seen % AT_ONCE == 0:
                await asyncio.sleep(0)
        return await tally.result(workspace)

    def _decide(
        self, draft: ActivePolicy, catalogue: Catalogue, measures: Measures, past: PastRequest
    ) -> Redecided:
        request = RouteRequest(
            model=past.decision.requested_model,
            request_id=past.request_id,
            key_id=past.key_id,
            segment=past.segment,
            session=past.session,
            user=past.user,
            fallback_off=past.decision.fallback_off,
        )
        route = decide(draft, catalogue, request, self._default, measures)
        targets = _as_health_was(past.decision, route.targets)
        return Redecided(
            past, targets, tuple(map(str, targets)), route.decision.why, route.decision.latency_budget_ms
        )


def _as_health_was(recorded: Decision, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """Return the targets without those that had to rest then; the recorded order where all had to."""
    if recorded.least_bad and set(recorded.targets) == {str(target) for target in targets}:
        return tuple(sorted(targets, key=lambda target: recorded.targets.index(str(target))))
    resting = {name for name, why in recorded.skipped if why.startswith(SKIPPED_FOR_NOW)}
    return tuple(target for target in targets if str(target) not in resting) or targets
