"""Answers that need no provider: a dry run's decision, and token counts where a dialect has no such call."""

from __future__ import annotations

import msgspec

from application.orchestration.dialects.measure import estimate_tokens
from application.processes.gateway.admission import Admission
from application.processes.gateway.budget import Budget
from application.processes.gateway.call import Environment, GatewayCall
from application.processes.gateway.outcome import Whole
from application.processes.gateway.trace import Trace
from domain.orchestration.routing import Route

JSON = {"content-type": "application/json"}


def dry_run(env: Environment, admission: Admission, call: GatewayCall, route: Route) -> Whole:
    """Return the decision and what would be reserved; nobody is called and nothing is recorded."""
    catalogue = env.directory.catalogue(call.caller.tenant)
    quota = admission.preview(call, route, catalogue)
    trace = Trace(env, call, route)
    Budget(env, trace).foretell()
    body = {
        "request_id": call.request_id,
        "dry_run": True,
        "decision": msgspec.to_builtins(trace.route.decision),
    }
    headers = {**JSON, **trace.headers(), **quota}
    return Whole(200, msgspec.json.encode(body), headers)


def counted(env: Environment, call: GatewayCall, route: Route) -> Whole | None:
    """Return an estimated token count where the provider's dialect has no such call; None otherwise."""
    if call.request.operation != "count_tokens":
        return None
    if env.directory.provider(call.caller.tenant, route.targets[0].provider).dialect != "openai":
        return None
    body = {"input_tokens": estimate_tokens(call.request.body)}
    told = {"x-aios-usage-source": "estimated"}
    return Whole(200, msgspec.json.encode(body), {**JSON, **Trace(env, call, route).headers(), **told})
