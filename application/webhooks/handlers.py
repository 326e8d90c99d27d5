"""Webhooks' use cases: load, decide, save."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from application.bus import Command, Work
from application.webhooks.answers import WebhookAnswer, WebhookGone
from application.webhooks.commands import CreateWebhook, RemoveWebhook
from application.webhooks.ports import WebhookPorts
from application.webhooks.signing import secret_of
from domain.webhooks.endpoints import ENTITY, Webhooks

WRITERS = ("admin",)


async def create_webhook(command: CreateWebhook, work: Work, ports: WebhookPorts) -> WebhookAnswer:
    """Add an endpoint. Raises Forbidden, InvalidInput, LimitReached."""
    work.caller.require(*WRITERS)
    tenant, command_id = work.caller.tenant, work.caller.command_id
    seed = ports.secrets.seed("webhook-id", tenant, command_id)
    webhooks = await work.load(Webhooks, ENTITY)
    secret = secret_of(ports.secrets.seed("webhook-secret", tenant, command_id))
    created = webhooks.create(
        f"wh_{seed.hex()[:20]}",
        ports.normalise_url(command.url),
        command.events,
        secret,
        work.at,
        description=command.description,
        offered=ports.offered,
    )
    await work.save(webhooks)
    return WebhookAnswer(
        webhook_id=created.webhook_id,
        url=created.url,
        events=created.event_types,
        description=created.description,
        created_at=created.created_at,
        secret=secret,
    )


async def remove_webhook(command: RemoveWebhook, work: Work, _ports: WebhookPorts) -> WebhookGone:
    """Remove an endpoint. Raises Forbidden, NotFound."""
    work.caller.require(*WRITERS)
    webhooks = await work.load(Webhooks, ENTITY)
    webhooks.remove(command.webhook_id, work.at)
    await work.save(webhooks)
    return WebhookGone(webhook_id=command.webhook_id)


HANDLERS: Mapping[type[Command], Callable[[Any, Work, WebhookPorts], Awaitable[Any]]] = {
    CreateWebhook: create_webhook,
    RemoveWebhook: remove_webhook,
}
