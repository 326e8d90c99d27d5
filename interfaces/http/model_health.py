"""How each model of each provider fares, judged by the tenant's own traffic."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import msgspec
from litestar import Router

from application.orchestration.health import LiveStatus
from domain.orchestration.credential_events import ProviderCredentialRefused
from domain.orchestration.health_events import HealthStatus
from interfaces.http.pages import Page
from interfaces.http.request import ApiRequest
from interfaces.http.routing import USERS, read
from projections.orchestration import health_queries
from projections.orchestration.health_queries import HealthTransition
from projections.usage.attempts import recent_attempts


class CredentialRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """The provider refuses the credential in use since a time: what it answered, and to whose request."""

    status: int
    model: str
    since: datetime

    @classmethod
    def of(cls, event: ProviderCredentialRefused | None) -> CredentialRefusal | None:
        """Return what a refusal says; None without one."""
        if event is None:
            return None
        return cls(status=event.status, model=event.model, since=event.refused_at)


class ModelHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The health of one model. `requests`, `error_rate` and latencies are of the last `window_s` seconds.

    Latencies are milliseconds of successful attempts; null where there was nothing to measure.
    `credential_refused` is set for every model of a provider that refuses our credential.
    """

    provider: str
    model: str
    status: HealthStatus
    reason: str
    window_s: int
    requests: int
    error_rate: float | None
    avg_latency_ms: float | None
    p50: float | None
    p95: float | None
    last_transition: HealthTransition | None
    credential_refused: CredentialRefusal | None

    @classmethod
    def of(
        cls,
        view: health_queries.ModelHealthView,
        live: LiveStatus | None,
        refusal: ProviderCredentialRefused | None,
    ) -> ModelHealth:
        """Return the view under the names that the API has for it; routing's own judgement wins."""
        fields = msgspec.structs.asdict(view)
        if live is not None:
            fields |= {"status": live.status, "reason": live.reason}
        return cls(
            p50=fields.pop("p50_latency_ms"),
            p95=fields.pop("p95_latency_ms"),
            credential_refused=CredentialRefusal.of(refusal),
            **fields,
        )


@read("/model-health", roles=USERS, summary="Tell how models fare", operation_id="getModelHealth")
async def get_model_health(request: ApiRequest) -> Page[ModelHealth]:
    """Judge every model that is configured, was used of late, or whose health ever changed."""
    services, tenant = request.services, request.caller.tenant
    configured = [
        (connection.name, model.name)
        for connection in services.connections(tenant)
        for model in connection.models
    ]
    await services.read_barrier()
    async with request.reading() as conn:
        found = await health_queries.model_health(
            conn, tenant, now=services.clock(), attempts=recent_attempts, configured=configured
        )
    live, refusal = partial(services.target_status, tenant), partial(services.refusal, tenant)
    return Page([ModelHealth.of(v, live(v.provider, v.model), refusal(v.provider)) for v in found])


router = Router("/", route_handlers=[get_model_health], tags=["orchestration"])
