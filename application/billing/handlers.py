"""Billing's use cases: load, decide, save."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

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
from application.billing.inputs import plan_terms
from application.billing.ports import BillingPorts
from application.bus import Caller, Command, Work
from domain.billing.account import ACCOUNT_ID, BillingAccount
from domain.billing.currency import check_currency, minor_of
from domain.billing.events import CreditGranted
from domain.billing.plan_aggregate import BillingPlan
from domain.billing.subscription import Subscription
from domain.kernel.errors import Forbidden, NotFound
from domain.kernel.names import DEFAULT_TENANT

SELLERS = ("platform",)
BUYERS = ("admin", "platform")


async def publish_plan(command: PublishPlan, work: Work, ports: BillingPorts) -> PlanView:
    """Publish a plan's next version. Raises Forbidden, InvalidInput."""
    work.caller.require(*SELLERS)
    await _tenant(command.tenant_id, work.caller, ports)
    plan = await work.load(BillingPlan, command.plan_id, tenant=DEFAULT_TENANT)
    plan.publish(plan_terms(command), command.tenant_id, work.at)
    await work.save(plan, tenant=DEFAULT_TENANT)
    if work.duplicate:
        plan = await work.load(BillingPlan, command.plan_id, tenant=DEFAULT_TENANT)
    return plan_view(plan.terms_for(command.tenant_id or "", command.plan_id), command.tenant_id)


async def set_subscription(command: SetSubscription, work: Work, ports: BillingPorts) -> SubscriptionView:
    """Subscribe a tenant. Raises Forbidden, NotFound, InvalidInput, Conflict."""
    work.caller.require(*BUYERS)
    tenant = await _tenant(command.tenant_id, work.caller, ports)
    plan = await work.load(BillingPlan, command.plan_id, tenant=DEFAULT_TENANT)
    subscription = Subscription(
        plan=plan.terms_for(tenant, command.plan_id),
        anchor_day=command.anchor_day,
        time_zone=command.time_zone,
        collection=command.collection,
        remote_prices=command.remote_prices,
    )
    account = await work.load(BillingAccount, ACCOUNT_ID, tenant=tenant)
    effective = account.subscribe(subscription, _utc(command.starts_at), work.at)
    await work.save(account, tenant=tenant)
    if work.duplicate:
        account = await work.load(BillingAccount, ACCOUNT_ID, tenant=tenant)
        effective = account.ledger.segments[-1].start
    period = account.ledger.period_at(effective).period
    return subscription_view(tenant, subscription, effective, period.end)


async def cancel_subscription(
    command: CancelSubscription, work: Work, ports: BillingPorts
) -> SubscriptionEnding:
    """End a subscription. Raises Forbidden, Conflict."""
    work.caller.require(*BUYERS)
    tenant = await _tenant(command.tenant_id, work.caller, ports)
    account = await work.load(BillingAccount, ACCOUNT_ID, tenant=tenant)
    ends_at = account.cancel(work.at)
    await work.save(account, tenant=tenant)
    return SubscriptionEnding(tenant_id=tenant, ends_at=ends_at)


async def grant_credit(command: GrantCredit, work: Work, ports: BillingPorts) -> CreditView:
    """Grant credit. Raises Forbidden, InvalidInput, Conflict."""
    work.caller.require(*SELLERS)
    tenant = await _tenant(command.tenant_id, work.caller, ports)
    check_currency(command.currency)
    credit = CreditGranted(
        grant_id=f"crd_{work.caller.command_id.removeprefix('cmd_')}",
        currency=command.currency,
        amount_minor=minor_of(command.amount, command.currency, "/amount"),
        priority=command.priority,
        granted_at=work.at,
        expires_at=_utc(command.expires_at),
        note=command.note,
    )
    account = await work.load(BillingAccount, ACCOUNT_ID, tenant=tenant)
    account.grant(credit, work.at)
    await work.save(account, tenant=tenant)
    return credit_view(tenant, account.ledger.grants[credit.grant_id])


def tenant_meant(named: str | None, caller: Caller) -> str:
    """Return the tenant that a command is about. Raises Forbidden for another one without role platform."""
    if named is None or named == caller.tenant:
        return caller.tenant
    if "platform" not in caller.roles:
        raise Forbidden("tenant_id names another tenant, which needs role platform; leave tenant_id off")
    return named


async def _tenant(named: str | None, caller: Caller, ports: BillingPorts) -> str:
    """Return the tenant that a command is about. Raises Forbidden, NotFound."""
    tenant = tenant_meant(named, caller)
    if tenant != caller.tenant and not await ports.tenant_exists(tenant):
        raise NotFound(f"there is no tenant '{tenant}'; GET /tenants lists them")
    return tenant


def _utc(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


HANDLERS: Mapping[type[Command], Callable[[Any, Work, BillingPorts], Awaitable[Any]]] = {
    PublishPlan: publish_plan,
    SetSubscription: set_subscription,
    CancelSubscription: cancel_subscription,
    GrantCredit: grant_credit,
}
