"""What a client may ask of webhooks."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from application.bus import Command
from domain.webhooks.endpoints import LONGEST_DESCRIPTION


class CreateWebhook(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Have events told to a URL by signed POSTs (role admin); the answer shows the secret, once.

    `events` names what to tell of, or is `["*"]`. The URL holds no user name and keeps the egress rules.
    """

    url: Annotated[str, Meta(min_length=1, max_length=2048, examples=["https://example.com/hooks/aios"])]
    events: Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=100)]
    description: Annotated[str, Meta(max_length=LONGEST_DESCRIPTION)] = ""


class RemoveWebhook(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take an endpoint out of use and have its secret destroyed (role admin). Raises NotFound."""

    webhook_id: Annotated[str, Meta(min_length=1, max_length=64)]
