"""Invoices: how the present one stands, and those that were issued."""

from __future__ import annotations

from typing import Annotated

from litestar import Router
from litestar.params import PathParameter, QueryParameter

from application.billing.handlers import tenant_meant
from application.billing.invoices import InvoiceView, PreviewView, invoice_view, preview_view
from domain.kernel.errors import NotFound
from interfaces.http.billing import READERS, OtherTenant
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Limit, instant
from interfaces.http.request import ApiRequest
from interfaces.http.routing import read
from projections.billing import queries
from projections.billing.queries import ListedInvoice

InvoiceId = Annotated[str, PathParameter(name="invoice_id", max_length=64, description="The invoice's id.")]
At = Annotated[
    str | None,
    QueryParameter(
        name="at",
        max_length=40,
        description="As it stood at this time (ISO 8601; UTC if bare); now if left off.",
    ),
]
Position = Annotated[
    int | None,
    QueryParameter(name="position", ge=1, le=2**53, description="As it stood at this position of the log."),
]


@read("/billing/preview", roles=READERS, summary="Preview the invoice", operation_id="previewInvoice")
async def preview(
    request: ApiRequest, at: At = None, position: Position = None, tenant_id: OtherTenant = None
) -> PreviewView:
    """Return the invoice of the present billing period as it stands, or as it stood.

    It follows from the log up to `as_of_position` alone: asked for that position it is the same for ever.
    """
    tenant = tenant_meant(tenant_id, request.caller)
    await request.services.read_barrier()
    found = await request.services.billing.preview(tenant, at=instant("at", at), position=position)
    return preview_view(found)


@read("/billing/invoices", roles=READERS, summary="List invoices", operation_id="listInvoices")
async def list_invoices(
    request: ApiRequest, limit: Limit = 50, cursor: Cursor = None, tenant_id: OtherTenant = None
) -> Page[InvoiceView]:
    """List the tenant's invoices, newest first."""
    before = int(place_of(cursor, "invoices", int)[0]) if cursor else None
    tenant = tenant_meant(tenant_id, request.caller)
    async with request.services.reading(tenant) as conn:
        found = await queries.list_invoices(conn, tenant=tenant, limit=limit + 1, before=before)
    page = Page.of(found, limit, lambda last: cursor_of("invoices", last.position))
    return Page([_view(tenant, invoice) for invoice in page.items], page.next_cursor)


@read(
    "/billing/invoices/{invoice_id:str}",
    roles=READERS,
    fails=(404,),
    summary="Read an invoice",
    operation_id="getInvoice",
)
async def get_invoice(
    request: ApiRequest, invoice_id: InvoiceId, tenant_id: OtherTenant = None
) -> InvoiceView:
    """Return one of the tenant's invoices."""
    tenant = tenant_meant(tenant_id, request.caller)
    async with request.services.reading(tenant) as conn:
        found = await queries.get_invoice(conn, tenant, invoice_id)
    if found is None:
        raise NotFound(f"there is no invoice '{invoice_id}'; GET /billing/invoices lists them")
    return _view(tenant, found)


def _view(tenant: str, invoice: ListedInvoice) -> InvoiceView:
    return invoice_view(tenant, invoice.issued, invoice.status, invoice.remote_id)


router = Router("/", route_handlers=[preview, list_invoices, get_invoice], tags=["billing"])
