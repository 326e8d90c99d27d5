"""Every event type of the product: the one module of the domain that knows all contexts."""

from __future__ import annotations

from domain.billing.events import EVENTS as BILLING
from domain.billing.payment_events import EVENTS as PAYMENTS
from domain.kernel.events import Event, EventRegistry
from domain.kernel.request_record import RequestRecorded
from domain.kernel.usage_correction import UsageCorrected
from domain.orchestration.events import EVENTS as ORCHESTRATION
from domain.orchestration.feedback_events import EVENTS as FEEDBACK
from domain.orchestration.health_events import EVENTS as MODEL_HEALTH
from domain.tenancy.events import EVENTS as TENANCY
from domain.usage.events import EVENTS as USAGE
from domain.usage.price_events import EVENTS as PRICES
from domain.webhooks.events import EVENTS as WEBHOOKS
from domain.workflows.events import EVENTS as WORKFLOWS

KERNEL: tuple[type[Event], ...] = (RequestRecorded, UsageCorrected)


def event_registry() -> EventRegistry:
    """Return a registry of all event types and their upcasters."""
    registry = EventRegistry()
    for classes in (
        KERNEL,
        TENANCY,
        ORCHESTRATION,
        MODEL_HEALTH,
        FEEDBACK,
        WORKFLOWS,
        USAGE,
        PRICES,
        WEBHOOKS,
        BILLING,
        PAYMENTS,
    ):
        registry.register(classes)
    return registry
