"""The payment system's side: notices come in, and where the books differ is told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import Router, post
from litestar.exceptions import ClientException
from litestar.params import HeaderParameter, QueryParameter

from application.billing.handlers import tenant_meant
from domain.kernel.errors import Unauthenticated
from interfaces.http.billing import READERS, OtherTenant
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Limit
from interfaces.http.request import ApiRequest
from interfaces.http.routing import OPEN, failures, read
from projections.billing.payments_queries import Compared, Difference, list_comparisons, list_differences

Signature = Annotated[
    str | None, HeaderParameter(name="Stripe-Signature", description="`t=TIME,v1=SIGNATURE` of the raw body.")
]
Cleared = Annotated[
    bool, QueryParameter(name="cleared", description="Also differences that are none any more.")
]


class NoticeStored(msgspec.Struct, frozen=True, kw_only=True):
    """The notice is kept and will be worked on; `duplicate` when it was there already."""

    received: bool
    duplicate: bool


class DifferenceView(msgspec.Struct, frozen=True, kw_only=True):
    """Where the books differ. `kind` `rederivation` compares with the log, others with the payment system."""

    kind: str
    subject: str
    ours: str
    theirs: str
    found_at: datetime
    cleared_at: datetime | None


class ReconciliationView(Page[DifferenceView], frozen=True, kw_only=True):
    """The tenant's differences, and when all books were compared last.

    `payment_system` is `off` unless STRIPE_SECRET_KEY is set; then invoices are compared with the log alone.
    """

    payment_system: Literal["stripe", "off"]
    notices: Literal["on", "off"]
    comparisons: tuple[Compared, ...]


@post(
    "/billing/stripe/webhook",
    status_code=200,
    opt={"public": True},
    security=OPEN,
    responses=failures(400, 408, 413, 422, 500, 503),
    summary="Take a notice of Stripe",
    operation_id="takeStripeNotice",
)
async def take_notice(request: ApiRequest, signature: Signature = None) -> NoticeStored:
    """Keep a signed notice, once; what happened is asked of Stripe later, so order means nothing.

    400 for a signature that fits none of the secrets or is older than 300 s; 503 while no secret is set.
    """
    body = await request.body()
    try:
        new = await request.services.billing.receive(body, signature or "")
    except Unauthenticated as error:
        raise ClientException(error.message) from error
    return NoticeStored(received=True, duplicate=not new)


@read(
    "/billing/reconciliation",
    roles=READERS,
    summary="Read where the books differ",
    operation_id="getReconciliation",
)
async def get_reconciliation(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    cleared: Cleared = False,
    tenant_id: OtherTenant = None,
) -> ReconciliationView:
    """List differences between our invoices and the log or the payment system, newest first."""
    before = int(place_of(cursor, "differences", int)[0]) if cursor else None
    tenant = tenant_meant(tenant_id, request.caller)
    async with request.services.reading(tenant) as conn:
        compared = await list_comparisons(conn)
        found = await list_differences(conn, tenant=tenant, limit=limit + 1, before=before, cleared=cleared)
    page = Page.of(found, limit, lambda last: cursor_of("differences", last.position))
    billing = request.services.billing
    return ReconciliationView(
        items=[_view(difference) for difference in page.items],
        next_cursor=page.next_cursor,
        payment_system="stripe" if billing.collects else "off",
        notices="on" if billing.takes_notices else "off",
        comparisons=tuple(compared),
    )


def _view(found: Difference) -> DifferenceView:
    return DifferenceView(**{name: getattr(found, name) for name in DifferenceView.__struct_fields__})


router = Router("/", route_handlers=[take_notice, get_reconciliation], tags=["billing"])
