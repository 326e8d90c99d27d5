"""Builds the ASGI application from the product's services: every route, one table of errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from litestar import Litestar, Router
from litestar.types import ControllerRouterHandler

from interfaces.http import (
    audit,
    billing,
    billing_invoices,
    billing_payments,
    console,
    corrections,
    experiments,
    feedback,
    health,
    identity,
    model_health,
    model_policy,
    notices,
    prices,
    providers,
    quota,
    requests,
    session,
    simulation,
    usage,
    webhooks,
    workflows,
)
from interfaces.http.authentication import Authentication
from interfaces.http.docs import openapi_config
from interfaces.http.gateway import ROUTES
from interfaces.http.gateway_shortcut import GatewayShortcut
from interfaces.http.idempotency import Idempotency
from interfaces.http.options import Options
from interfaces.http.parameters import refuse_unknown
from interfaces.http.problems import problem_response
from interfaces.http.request import ApiRequest
from interfaces.http.services import Services
from interfaces.http.tracing import Tracing

PREFIX: Final = "/api/ai-advanced"

# One router per context; a new context adds its own here.
CONTEXTS: Final[list[ControllerRouterHandler]] = [
    session.router,
    identity.router,
    model_policy.router,
    providers.router,
    model_health.router,
    feedback.router,
    experiments.router,
    simulation.router,
    usage.router,
    quota.router,
    prices.router,
    notices.router,
    corrections.router,
    billing.router,
    billing_invoices.router,
    billing_payments.router,
    requests.router,
    webhooks.router,
    workflows.router,
    audit.router,
]

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    services: Services,
    *,
    gateway: Sequence[ControllerRouterHandler] = ROUTES,
    lifespan: Sequence[Lifespan] = (),
) -> Litestar:
    """Return the application.

    `gateway` are the handlers outside /api/ai-advanced that need keys; they authenticate by themselves.
    `lifespan` are entered before the first request is taken.
    """
    api = Router(
        PREFIX,
        route_handlers=CONTEXTS,
        guards=[refuse_unknown],
        middleware=[Options, Authentication, Idempotency],
    )
    app = Litestar(
        route_handlers=[api, health.router, console.router, *gateway],
        request_class=ApiRequest,
        request_max_body_size=services.largest_body,
        exception_handlers={Exception: problem_response},
        openapi_config=openapi_config(services.version),
        lifespan=list(lifespan),
        logging_config=None,
    )
    app.state["services"] = services  # set here: Litestar copies deeply what it is given above
    # Litestar's own middlewares run behind its router; ids and metrics also belong on answers like 404.
    app.asgi_handler = Tracing(GatewayShortcut(app.asgi_handler), services.observe_request)
    return app
