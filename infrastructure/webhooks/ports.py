"""What the handlers of webhooks are given in an API process."""

from __future__ import annotations

from functools import partial

from application.processes.webhooks import OFFERED
from application.webhooks.ports import SecretSource, WebhookPorts
from infrastructure.providers.egress import normalise_target
from infrastructure.settings import Settings


def webhook_ports(settings: Settings, secrets: SecretSource) -> WebhookPorts:
    """Return the ports: repeatable secrets, the egress rules, the events that are offered."""
    normalise = partial(normalise_target, pointer="/url", allow_private=settings.egress == "private")
    return WebhookPorts(secrets, normalise, frozenset(OFFERED))
