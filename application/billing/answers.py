"""What billing answers: money in minor units and, beside each, as a decimal string of the currency's unit."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from domain.billing.credits import Grant
from domain.billing.currency import minor_text
from domain.billing.invoice import Line, LineKind, Unit
from domain.billing.plan import Charge, PlanTerms, Pricing, TokenClass
from domain.billing.rating import WHOLE_BPS
from domain.billing.subscription import Collection, Subscription


class TierView(msgspec.Struct, frozen=True, kw_only=True):
    """A tier of a plan."""

    price_per_mtok: str
    up_to: int | None


class ChargeView(msgspec.Struct, frozen=True, kw_only=True):
    """A charge of a plan."""

    charge_id: str
    name: str
    pricing: Pricing
    models: tuple[str, ...]
    token_classes: tuple[TokenClass, ...]
    price_per_mtok: str | None
    tiers: tuple[TierView, ...]
    markup_percent: str | None


class PlanView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a plan."""

    plan_id: str
    version: int
    name: str
    currency: str
    base_fee_minor: int
    base_fee: str
    minimum_minor: int
    minimum: str
    included_tokens: int
    usd_rate: str
    charges: tuple[ChargeView, ...]
    tenant_id: str | None


class SubscriptionView(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant is subscribed to from `effective_at` on; `period_end` is that of its first period."""

    tenant_id: str
    plan: PlanView
    effective_at: datetime
    period_end: datetime
    anchor_day: int
    time_zone: str
    collection: Collection
    remote_prices: tuple[str, ...]


class SubscriptionEnding(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription that ends."""

    tenant_id: str
    ends_at: datetime


class CreditView(msgspec.Struct, frozen=True, kw_only=True):
    """A credit, and what is left of it."""

    grant_id: str
    tenant_id: str
    currency: str
    amount_minor: int
    amount: str
    remaining_minor: int
    remaining: str
    priority: int
    granted_at: datetime
    expires_at: datetime | None
    note: str
    expired_minor: int = 0


class ShareView(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a line's quantity fell into a tier."""

    quantity: int
    price_per_mtok: str


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an invoice. `adjusts` names the invoice whose late usage it holds."""

    kind: LineKind
    description: str
    amount_minor: int
    amount: str
    charge_id: str | None
    quantity: int | None
    unit: Unit | None
    included: int
    tiers: tuple[ShareView, ...]
    adjusts: str | None
    grant_id: str | None


def price_text(nanos: int) -> str:
    """Write 10^-9 units as a decimal without trailing zeros."""
    return f"{Decimal(nanos).scaleb(-9).normalize():f}"


def plan_view(terms: PlanTerms, offered_to: str | None) -> PlanView:
    """Show a plan's terms."""
    return PlanView(
        plan_id=terms.plan_id,
        version=terms.version,
        name=terms.name,
        currency=terms.currency,
        base_fee_minor=terms.base_fee_minor,
        base_fee=minor_text(terms.base_fee_minor, terms.currency),
        minimum_minor=terms.minimum_minor,
        minimum=minor_text(terms.minimum_minor, terms.currency),
        included_tokens=terms.included_tokens,
        usd_rate=f"{Decimal(terms.usd_rate_micros).scaleb(-6).normalize():f}",
        charges=tuple(_charge(charge) for charge in terms.charges),
        tenant_id=offered_to,
    )


def _charge(charge: Charge) -> ChargeView:
    percent = Decimal(charge.markup_bps) * 100 / WHOLE_BPS
    return ChargeView(
        charge_id=charge.charge_id,
        name=charge.name,
        pricing=charge.pricing,
        models=charge.models,
        token_classes=charge.token_classes,
        price_per_mtok=price_text(charge.nanos_per_mtok) if charge.pricing == "per_unit" else None,
        tiers=tuple(
            TierView(price_per_mtok=price_text(t.nanos_per_mtok), up_to=t.up_to) for t in charge.tiers
        ),
        markup_percent=f"{percent.normalize():f}" if charge.pricing == "cost_plus" else None,
    )


def subscription_view(
    tenant: str, subscription: Subscription, effective_at: datetime, period_end: datetime
) -> SubscriptionView:
    """Show a subscription."""
    return SubscriptionView(
        tenant_id=tenant,
        plan=plan_view(subscription.plan, None),
        effective_at=effective_at,
        period_end=period_end,
        anchor_day=subscription.anchor_day,
        time_zone=subscription.time_zone,
        collection=subscription.collection,
        remote_prices=subscription.remote_prices,
    )


def credit_view(tenant: str, grant: Grant, expired_minor: int = 0) -> CreditView:
    """Show a credit."""
    return CreditView(
        grant_id=grant.grant_id,
        tenant_id=tenant,
        currency=grant.currency,
        amount_minor=grant.amount_minor,
        amount=minor_text(grant.amount_minor, grant.currency),
        remaining_minor=grant.remaining_minor,
        remaining=minor_text(grant.remaining_minor, grant.currency),
        priority=grant.priority,
        granted_at=grant.granted_at,
        expires_at=grant.expires_at,
        note=grant.note,
        expired_minor=expired_minor,
    )


def line_view(line: Line, currency: str) -> LineView:
    """Show a line of an invoice."""
    return LineView(
        kind=line.kind,
        description=line.description,
        amount_minor=line.amount_minor,
        amount=minor_text(line.amount_minor, currency),
        charge_id=line.charge_id,
        quantity=line.quantity,
        unit=line.unit,
        included=line.included,
        tiers=tuple(
            ShareView(quantity=s.quantity, price_per_mtok=price_text(s.nanos_per_mtok)) for s in line.shares
        ),
        adjusts=line.adjusts,
        grant_id=line.grant_id,
    )
