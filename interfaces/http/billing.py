"""Plans, subscriptions and credits: what a tenant's usage is charged by."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, Router
from litestar.params import JSONBody, QueryParameter

from application.billing.answers import (
    CreditView,
    PlanView,
    SubscriptionEnding,
    SubscriptionView,
    credit_view,
    plan_view,
    subscription_view,
)
from application.billing.commands import CancelSubscription, GrantCredit, PublishPlan, SetSubscription
from application.billing.handlers import tenant_meant
from domain.kernel.names import TENANT_ID
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Limit
from interfaces.http.request import ApiRequest
from interfaces.http.routing import ADMIN, AUDITOR, OPERATOR, PLATFORM, create, read, remove
from interfaces.http.writes import written
from projections.billing import queries

READERS = (ADMIN, AUDITOR, OPERATOR, PLATFORM)
OtherTenant = Annotated[
    str | None,
    QueryParameter(name="tenant_id", pattern=TENANT_ID, description="Another tenant; for role platform."),
]


class PlanWritten(PlanView, frozen=True, kw_only=True):
    """A plan's new version."""

    position: int


class SubscriptionWritten(SubscriptionView, frozen=True, kw_only=True):
    """The subscription, in force from `effective_at` on."""

    position: int


class SubscriptionEnded(SubscriptionEnding, frozen=True, kw_only=True):
    """When the subscription ends."""

    position: int


class CreditWritten(CreditView, frozen=True, kw_only=True):
    """A new credit."""

    position: int


class SubscriptionState(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force now, null without a subscription, and what replaces it if anything does."""

    current: SubscriptionView | None
    upcoming: SubscriptionView | None


@create(
    "/billing/plans", roles=(PLATFORM,), fails=(404,), summary="Publish a plan", operation_id="publishPlan"
)
async def publish_plan(request: ApiRequest, data: JSONBody[PublishPlan]) -> Response[PlanWritten]:
    """Publish a plan or its next version; subscriptions keep the version that they were made with."""
    return written(PlanWritten, await request.dispatch(data))


@read("/billing/plans", roles=READERS, summary="List plans", operation_id="listPlans")
async def list_plans(request: ApiRequest, limit: Limit = 50, cursor: Cursor = None) -> Page[PlanView]:
    """List every version of the plans that the tenant may take; for role platform, of all plans."""
    after = place_of(cursor, "plans", str, int) if cursor else None
    place = (str(after[0]), int(after[1])) if after else None
    tenant = None if PLATFORM in request.caller.roles else request.caller.tenant
    async with request.reading() as conn:
        found = await queries.list_plans(conn, tenant=tenant, limit=limit + 1, after=place)
    views = [plan_view(plan.terms, plan.offered_to) for plan in found]
    return Page.of(views, limit, lambda last: cursor_of("plans", last.plan_id, last.version))


@create(
    "/billing/subscription",
    roles=(ADMIN, PLATFORM),
    fails=(404,),
    summary="Subscribe to a plan",
    operation_id="setSubscription",
)
async def set_subscription(
    request: ApiRequest, data: JSONBody[SetSubscription]
) -> Response[SubscriptionWritten]:
    """Subscribe, or change plan, billing month or collection from the next period on."""
    return written(SubscriptionWritten, await request.dispatch(data))


@read("/billing/subscription", roles=READERS, summary="Read the subscription", operation_id="getSubscription")
async def get_subscription(request: ApiRequest, tenant_id: OtherTenant = None) -> SubscriptionState:
    """Return what the tenant is subscribed to, and a change that is to come."""
    tenant = tenant_meant(tenant_id, request.caller)
    ledger = await request.services.billing.ledger(tenant)
    now = request.services.clock()
    views = {
        segment.start: subscription_view(
            tenant, segment.subscription, segment.start, ledger.period_at(segment.start).period.end
        )
        for segment in ledger.segments
        if segment.subscription is not None
    }
    begun = [segment.start for segment in ledger.segments if segment.start <= now]
    later = [start for start in views if start > now]
    return SubscriptionState(
        current=views.get(begun[-1]) if begun else None, upcoming=views[later[0]] if later else None
    )


@remove(
    "/billing/subscription",
    roles=(ADMIN, PLATFORM),
    fails=(404,),
    summary="Cancel the subscription",
    operation_id="cancelSubscription",
)
async def cancel_subscription(
    request: ApiRequest, tenant_id: OtherTenant = None
) -> Response[SubscriptionEnded]:
    """End the subscription with its present period, which is still invoiced."""
    return written(SubscriptionEnded, await request.dispatch(CancelSubscription(tenant_id=tenant_id)))


@create(
    "/billing/credits", roles=(PLATFORM,), fails=(404,), summary="Grant credit", operation_id="grantCredit"
)
async def grant_credit(request: ApiRequest, data: JSONBody[GrantCredit]) -> Response[CreditWritten]:
    """Grant credit that pays the tenant's next invoices."""
    return written(CreditWritten, await request.dispatch(data))


@read("/billing/credits", roles=READERS, summary="List credits", operation_id="listCredits")
async def list_credits(
    request: ApiRequest, limit: Limit = 50, cursor: Cursor = None, tenant_id: OtherTenant = None
) -> Page[CreditView]:
    """List the tenant's credits, newest first, with what is left of each."""
    before = int(place_of(cursor, "credits", int)[0]) if cursor else None
    tenant = tenant_meant(tenant_id, request.caller)
    async with request.services.reading(tenant) as conn:
        found = await queries.list_credits(conn, tenant=tenant, limit=limit + 1, before=before)
    page = Page.of(found, limit, lambda last: cursor_of("credits", last.position))
    return Page([credit_view(tenant, c.grant, c.expired_minor) for c in page.items], page.next_cursor)


router = Router(
    "/",
    route_handlers=[
        publish_plan,
        list_plans,
        set_subscription,
        get_subscription,
        cancel_subscription,
        grant_credit,
        list_credits,
    ],
    tags=["billing"],
)
