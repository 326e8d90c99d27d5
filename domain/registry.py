"""Every event type of the product: the one module of the domain that knows all contexts."""

from __future__ import annotations

from domain.kernel.events import EventRegistry
from domain.kernel.request_record import RequestRecorded
from domain.orchestration import events as orchestration
from domain.tenancy import events as tenancy


def event_registry() -> EventRegistry:
    """Return a registry of all event types and their upcasters."""
    registry = EventRegistry()
    registry.register((RequestRecorded,))
    registry.register(tenancy.EVENTS)
    registry.register(orchestration.EVENTS)
    return registry
