"""Webhooks: endpoints that are told of events, and the log of what was delivered to them."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router
from litestar.params import JSONBody, PathParameter

from application.webhooks.answers import WebhookAnswer, WebhookGone
from application.webhooks.commands import CreateWebhook, RemoveWebhook
from domain.kernel.errors import NotFound
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Limit
from interfaces.http.request import ApiRequest
from interfaces.http.routing import ADMIN, AUDITOR, create, read, remove
from interfaces.http.writes import written
from projections.webhooks import queries
from projections.webhooks.queries import DeliveryView, WebhookView

READ = (ADMIN, AUDITOR)
Id = Annotated[str, PathParameter(name="webhook_id", max_length=64, description="The endpoint's id.")]


class WebhookWritten(WebhookAnswer, frozen=True, kw_only=True):
    """The new endpoint; `secret` is shown this once."""

    position: int


class WebhookRemoved(WebhookGone, frozen=True, kw_only=True):
    """The endpoint that is gone."""

    position: int


@create("/webhooks", roles=(ADMIN,), fails=(429,), summary="Create a webhook", operation_id="createWebhook")
async def create_webhook(request: ApiRequest, data: JSONBody[CreateWebhook]) -> Response[WebhookWritten]:
    """Have events of the tenant told to a URL.

    Each is POSTed as `{type, timestamp, data}` and signed as Standard Webhooks has it: `webhook-signature` is
    `v1,` and the base64 of HMAC-SHA256 over `webhook-id.webhook-timestamp.body` with the secret. Anything but
    a 2xx answer is tried again for some three days; `webhook-id` stays the same.
    """
    return written(WebhookWritten, await request.dispatch(data))


@read("/webhooks", roles=READ, summary="List webhooks", operation_id="listWebhooks")
async def list_webhooks(request: ApiRequest) -> Page[WebhookView]:
    """List the tenant's endpoints, oldest first."""
    await request.services.read_barrier()
    async with request.reading() as conn:
        return Page(await queries.list_webhooks(conn))


@remove(
    "/webhooks/{webhook_id:str}",
    roles=(ADMIN,),
    fails=(404,),
    summary="Remove a webhook",
    operation_id="removeWebhook",
)
async def remove_webhook(request: ApiRequest, webhook_id: Id) -> Response[WebhookRemoved]:
    """Take an endpoint out of use, with what was still to be delivered, and have its secret destroyed."""
    return written(WebhookRemoved, await request.dispatch(RemoveWebhook(webhook_id=webhook_id)))


@read(
    "/webhooks/{webhook_id:str}/deliveries",
    roles=READ,
    fails=(404,),
    summary="List the deliveries of a webhook",
    operation_id="listDeliveries",
)
async def list_deliveries(
    request: ApiRequest, webhook_id: Id, limit: Limit = 50, cursor: Cursor = None
) -> Page[DeliveryView]:
    """List what was sent or is to be sent to an endpoint, newest first, with the last attempt at each."""
    before = int(place_of(cursor, "deliveries", int)[0]) if cursor else None
    await request.services.read_barrier()
    async with request.reading() as conn:
        if not await queries.has_webhook(conn, webhook_id):
            raise NotFound(f"there is no webhook '{webhook_id}'; GET /webhooks lists them")
        found = await queries.list_deliveries(conn, webhook_id, limit=limit + 1, before=before)
    return Page.of(found, limit, lambda last: cursor_of("deliveries", last.position))


router = Router(
    "/", route_handlers=[create_webhook, list_webhooks, remove_webhook, list_deliveries], tags=["webhooks"]
)
