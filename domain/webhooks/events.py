"""What happens to webhooks: endpoints come and go, deliveries are asked for and attempted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from domain.kernel.events import Event
from domain.kernel.personal import Erased, Personal

Outcome = Literal["delivered", "refused", "unreachable", "timeout", "forbidden", "removed"]
State = Literal["waiting", "delivered", "failed", "dropped"]


class WebhookCreated(Event, frozen=True, kw_only=True):
    """A tenant wants to be told of events at a URL; `event_types` may be `*`, which is all that are offered.

    `credential_id` is the subject under which the signing secret is sealed.
    """

    TYPE: ClassVar[str] = "webhooks.webhook_created"

    webhook_id: str
    url: str
    event_types: tuple[str, ...]
    description: str
    created_at: datetime
    credential_id: str
    secret: Annotated[str | Erased | None, Personal(subject="credential_id", category="=credential")] = None

    def __repr__(self) -> str:
        return f"WebhookCreated({self.webhook_id})"


class WebhookRemoved(Event, frozen=True, kw_only=True):
    """An endpoint is gone; the data keys of its `retired` credentials are to be destroyed."""

    TYPE: ClassVar[str] = "webhooks.webhook_removed"

    webhook_id: str
    removed_at: datetime
    retired: tuple[str, ...] = ()


class DeliveryRequested(Event, frozen=True, kw_only=True):
    """An event is to be told to one endpoint; `message_id` is the same for every attempt at it."""

    TYPE: ClassVar[str] = "webhooks.delivery_requested"

    message_id: str
    webhook_id: str
    event_type: str
    event_position: int
    requested_at: datetime


class DeliveryAttempted(Event, frozen=True, kw_only=True):
    """One attempt ended; numbers count from 1. While `waiting`, the next one is due at `next_at`."""

    TYPE: ClassVar[str] = "webhooks.delivery_attempted"

    message_id: str
    webhook_id: str
    number: int
    attempted_at: datetime
    outcome: Outcome
    state: State
    status: int | None = None
    duration_ms: int = 0
    detail: str = ""
    next_at: datetime | None = None


EVENTS: tuple[type[Event], ...] = (WebhookCreated, WebhookRemoved, DeliveryRequested, DeliveryAttempted)
