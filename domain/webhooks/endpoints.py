"""A tenant's webhook endpoints, and what may be one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar

from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import FieldError, InvalidInput, LimitReached, NotFound
from domain.kernel.events import Event
from domain.webhooks.events import WebhookCreated, WebhookRemoved

ALL = "*"
MOST_ENDPOINTS = 20
LONGEST_DESCRIPTION = 200
ENTITY = "endpoints"


class Webhooks(Aggregate):
    """The consistency boundary of all endpoints of a tenant.

    It declares no state for snapshots: what an erased secret leaves behind must be nothing.
    """

    KIND: ClassVar[str] = "webhooks"

    def initialise(self) -> None:
        """Start without endpoints."""
        self.endpoints: dict[str, WebhookCreated] = {}

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case WebhookCreated():
                self.endpoints[event.webhook_id] = event
            case WebhookRemoved():
                self.endpoints.pop(event.webhook_id, None)

    def create(
        self,
        webhook_id: str,
        url: str,
        event_types: Sequence[str],
        secret: str,
        at: datetime,
        *,
        description: str,
        offered: Collection[str],
    ) -> WebhookCreated:
        """Add an endpoint; the URL is normalised already. Raises InvalidInput, LimitReached."""
        check_event_types(event_types, offered)
        if len(self.endpoints) >= MOST_ENDPOINTS:
            raise LimitReached(f"a tenant has at most {MOST_ENDPOINTS} webhooks; remove one first")
        created = WebhookCreated(
            webhook_id=webhook_id,
            url=url,
            event_types=tuple(dict.fromkeys(event_types)),
            description=description,
            created_at=at,
            credential_id=f"webhook/{webhook_id}",
            secret=secret,
        )
        self.record(created, at)
        return created

    def remove(self, webhook_id: str, at: datetime) -> None:
        """Take an endpoint out of use. Raises NotFound."""
        present = self.endpoints.get(webhook_id)
        if present is None:
            raise NotFound(f"there is no webhook '{webhook_id}'; GET /webhooks lists them")
        self.record(
            WebhookRemoved(webhook_id=webhook_id, removed_at=at, retired=(present.credential_id,)), at
        )

    def wanting(self, event_type: str, recorded_at: datetime) -> list[WebhookCreated]:
        """Return the endpoints that are to be told of an event: those that were there when it happened."""
        return [
            each
            for each in self.endpoints.values()
            if each.created_at <= recorded_at and not {event_type, ALL}.isdisjoint(each.event_types)
        ]


def check_event_types(event_types: Sequence[str], offered: Collection[str]) -> None:
    """Raise InvalidInput that names every event which is not offered."""
    if not event_types:
        raise InvalidInput.at("/events", f"name at least one of {', '.join(sorted(offered))}, or '*' for all")
    errors = [
        FieldError(f"/events/{index}", f"'{name}' is not offered; use {', '.join(sorted(offered))} or '*'")
        for index, name in enumerate(event_types)
        if name != ALL and name not in offered
    ]
    if errors:
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)
