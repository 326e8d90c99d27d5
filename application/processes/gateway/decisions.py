"""Decides routes, and remembers those that follow from policy and catalogue alone."""

from __future__ import annotations

from collections.abc import Callable

from application.processes.gateway.call import GatewayCall
from domain.orchestration.catalogue import Catalogue, Target
from domain.orchestration.policy import ActivePolicy
from domain.orchestration.routing import Measures, Route, RouteRequest, decide

MOST_KNOWN = 10_000
_Asked = tuple[str, str, str, str | None, bool, int | None]


class Decisions:
    """The routing decisions of one process.

    Policies and catalogues are immutable and made anew when they change, so a route that was decided from the
    same two objects still holds. Experiments look at the request, and orders but the rule's own at what was
    measured: those are decided each time.
    """

    def __init__(self, default: Target) -> None:
        self._default = default
        self._known: dict[_Asked, tuple[ActivePolicy | None, Catalogue, Route]] = {}

    def route(
        self,
        call: GatewayCall,
        active: ActivePolicy | None,
        catalogue: Catalogue,
        measures: Callable[[], Measures],
    ) -> Route:
        """Return where a request goes; raises as `decide` does."""
        asked = (
            call.caller.tenant,
            call.workspace,
            call.request.model,
            call.segment,
            call.fallback_off,
            call.latency_budget_ms,
        )
        known = self._known.get(asked)
        if known is not None and known[0] is active and known[1] is catalogue:
            return known[2]
        route = decide(active, catalogue, _request(call), self._default, measures())
        if route.decision.strategy == "order" and route.decision.experiment is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[asked] = active, catalogue, route
        return route


def _request(call: GatewayCall) -> RouteRequest:
    return RouteRequest(
        model=call.request.model,
        request_id=call.request_id,
        key_id=call.key_id,
        segment=call.segment,
        session=call.session,
        user=call.user,
        fallback_off=call.fallback_off,
        latency_budget_ms=call.latency_budget_ms,
    )
