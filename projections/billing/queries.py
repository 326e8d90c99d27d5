"""Reads plans, subscriptions, credits and invoices; the only reader of their tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.billing.credits import Grant
from domain.billing.events import InvoiceIssued
from domain.billing.plan import PlanTerms
from projections.billing.tables import (
    billing_credits,
    billing_invoices,
    billing_plans,
    billing_subscriptions,
)


class ListedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a plan and the tenant it is for, None for all."""

    terms: PlanTerms
    offered_to: str | None


class ListedCredit(msgspec.Struct, frozen=True, kw_only=True):
    """A credit as it is now."""

    position: int
    grant: Grant
    expired_minor: int


class ListedInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as it was issued, and what became of it."""

    position: int
    status: str
    noticed_at: datetime | None
    remote_id: str | None
    issued: InvoiceIssued


async def list_plans(
    conn: AsyncConnection, *, tenant: str | None, limit: int, after: tuple[str, int] | None = None
) -> list[ListedPlan]:
    """Return versions of plans by id, newest last; those that a tenant may take, all without one."""
    p = billing_plans.c
    query = select(billing_plans).order_by(p.plan_id, p.version).limit(limit)
    if tenant is not None:
        query = query.where(or_(p.offered_to.is_(None), p.offered_to == tenant))
    if after is not None:
        plan_id, version = after
        query = query.where(or_(p.plan_id > plan_id, (p.plan_id == plan_id) & (p.version > version)))
    return [
        ListedPlan(terms=msgspec.convert(row.terms, PlanTerms), offered_to=row.offered_to)
        for row in await conn.execute(query)
    ]


async def list_credits(
    conn: AsyncConnection, *, tenant: str, limit: int, before: int | None = None
) -> list[ListedCredit]:
    """Return a tenant's credits, newest first."""
    c = billing_credits.c
    query = select(billing_credits).where(c.tenant == tenant).order_by(c.position.desc()).limit(limit)
    if before is not None:
        query = query.where(c.position < before)
    return [_credit(row) for row in await conn.execute(query)]


async def list_invoices(
    conn: AsyncConnection, *, tenant: str, limit: int, before: int | None = None
) -> list[ListedInvoice]:
    """Return a tenant's invoices, newest first."""
    i = billing_invoices.c
    query = select(billing_invoices).where(i.tenant == tenant).order_by(i.position.desc()).limit(limit)
    if before is not None:
        query = query.where(i.position < before)
    return [_invoice(row) for row in await conn.execute(query)]


async def get_invoice(conn: AsyncConnection, tenant: str, invoice_id: str) -> ListedInvoice | None:
    """Return one invoice, None when there is none."""
    i = billing_invoices.c
    found = await conn.execute(select(billing_invoices).where(i.tenant == tenant, i.invoice_id == invoice_id))
    row = found.one_or_none()
    return None if row is None else _invoice(row)


async def subscribed_tenants(conn: AsyncConnection) -> Sequence[str]:
    """Return every tenant that has or had a subscription; the connection sees all tenants."""
    tenants = select(billing_subscriptions.c.tenant).distinct().order_by(billing_subscriptions.c.tenant)
    return list((await conn.execute(tenants)).scalars())


def _credit(row: Row[Any]) -> ListedCredit:
    grant = Grant(
        grant_id=row.grant_id,
        currency=row.currency,
        amount_minor=row.amount_minor,
        remaining_minor=row.remaining_minor,
        priority=row.priority,
        granted_at=row.granted_at,
        expires_at=row.expires_at,
        note=row.note,
    )
    return ListedCredit(position=row.position, grant=grant, expired_minor=row.expired_minor)


def _invoice(row: Row[Any]) -> ListedInvoice:
    return ListedInvoice(
        position=row.position,
        status=row.status,
        noticed_at=row.noticed_at,
        remote_id=row.remote_id,
        issued=msgspec.convert(row.document, InvoiceIssued),
    )
