"""Every event type of the product: the one module of the domain that knows all contexts."""

from __future__ import annotations

from domain.billing.events import EVENTS as BILLING
from domain.billing.payment_events import EVENTS as PAYMENTS
from domain.kernel.events import Event, EventRegistry
from domain.kernel.request_record import RequestRecorded, ShadowRecorded
from domain.kernel.usage_correction import UsageCorrected
from domain.memory.access_events import EVENTS as MEMORY_ACCESS
from domain.memory.erasure_events import EVENTS as MEMORY_ERASURE
from domain.memory.events import EVENTS as MEMORY
from domain.memory.policy_events import EVENTS as MEMORY_POLICY
from domain.memory.pseudonym_events import EVENTS as PSEUDONYMS
from domain.orchestration.credential_events import EVENTS as CREDENTIALS
from domain.orchestration.events import EVENTS as ORCHESTRATION
from domain.orchestration.feedback_events import EVENTS as FEEDBACK
from domain.orchestration.health_events import EVENTS as MODEL_HEALTH
from domain.tenancy.events import EVENTS as TENANCY
from domain.usage.erasure_events import EVENTS as USAGE_ERASURE
from domain.usage.events import EVENTS as USAGE
from domain.usage.price_events import EVENTS as PRICES
from domain.webhooks.events import EVENTS as WEBHOOKS
from domain.workflows.events import EVENTS as WORKFLOWS

KERNEL: tuple[type[Event], ...] = (RequestRecorded, ShadowRecorded, UsageCorrected)


def event_registry() -> EventRegistry:
    """Return a registry of all event types and their upcasters."""
    registry = EventRegistry()
    for classes in (
        KERNEL,
        TENANCY,
        ORCHESTRATION,
        CREDENTIALS,
        MODEL_HEALTH,
        FEEDBACK,
        WORKFLOWS,
        USAGE,
        MEMORY,
        MEMORY_POLICY,
        PSEUDONYMS,
        MEMORY_ERASURE,
        MEMORY_ACCESS,
        USAGE_ERASURE,
        BILLING,
        PAYMENTS,
        PRICES,
        WEBHOOKS,
    ):
        registry.register(classes)
    return registry
