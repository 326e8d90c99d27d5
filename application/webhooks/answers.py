"""What the commands of webhooks answer."""

from __future__ import annotations

from datetime import datetime

import msgspec


class WebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A new endpoint; `secret` verifies what is sent to it, and is shown this once."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    description: str
    created_at: datetime
    secret: str

    def __repr__(self) -> str:
        return f"WebhookAnswer({self.webhook_id})"


class WebhookGone(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint that is gone."""

    webhook_id: str
