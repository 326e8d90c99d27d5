"""Fills in what the operator set for the default target and the caller left open."""

from __future__ import annotations

import msgspec

from application.orchestration.dialects.model import ChatRequest
from application.processes.gateway.call import Environment
from domain.orchestration.resolution import AUTO
from domain.orchestration.routing import Route

_GENERATING = ("chat", "messages")
_OWN_SAMPLING = ("temperature", "top_p", "top_k", "thinking", "reasoning_effort")
_WITHOUT_TEMPERATURE = ("o1", "o3", "o4", "gpt-5")


def completed(request: ChatRequest, route: Route, env: Environment) -> ChatRequest:
    """Return the request with the default temperature, where it went to the default target by `auto`.

    A caller who chose any sampling of its own keeps it whole, and models that refuse a temperature get none.
    """
    if env.default_temperature is None or route.decision.rule is not None or request.model != AUTO:
        return request
    if request.operation not in _GENERATING or any(request.body.get(k) is not None for k in _OWN_SAMPLING):
        return request
    if env.default_target.model.startswith(_WITHOUT_TEMPERATURE):
        return request
    body = {**request.body, "temperature": env.default_temperature}
    return msgspec.structs.replace(request, body=body, raw=msgspec.json.encode(body))
