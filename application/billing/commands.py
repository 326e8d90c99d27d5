"""What a client may ask of billing: amounts in the currency's unit, prices for a million tokens."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from application.bus import Command
from domain.billing.credits import LOWEST_PRIORITY
from domain.billing.plan import IDENTIFIER, MOST_CHARGES, MOST_TIERS, MOST_TOKENS, Pricing, TokenClass
from domain.billing.plan import TOKEN_CLASSES as ALL_CLASSES
from domain.billing.subscription import Collection
from domain.kernel.names import TENANT_ID

Id = Annotated[str, Meta(pattern=IDENTIFIER, max_length=63)]
Name = Annotated[str, Meta(min_length=1, max_length=120)]
Amount = Annotated[Decimal, Meta(description="A number or decimal string, from 0 on", examples=["20.00"])]
Price = Annotated[
    Decimal, Meta(description="For a million tokens, at most 9 decimals, from 0 on", examples=["2.50"])
]
Tokens = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]
CurrencyCode = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217", examples=["USD", "JPY"])]
OtherTenant = Annotated[str, Meta(pattern=TENANT_ID, description="Another tenant; only for role platform")]


class TierInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price for tokens up to and including the `up_to`th; only the last tier is without end."""

    price_per_mtok: Price
    up_to: Annotated[int, Meta(ge=1, le=MOST_TOKENS)] | None = None


class ChargeInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of the invoice. `per_unit` needs `price_per_mtok`; `graduated` and `volume` need `tiers`.

    `cost_plus` takes what providers charged plus `markup_percent`. The first charge of a plan that takes a
    model and token class prices it.
    """

    charge_id: Id
    name: Name
    pricing: Pricing = "per_unit"
    models: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...],
        Meta(max_length=100, description="`provider/model`; one `*` at the end stands for any rest"),
    ] = ("*",)
    token_classes: tuple[TokenClass, ...] = ALL_CLASSES
    price_per_mtok: Price | None = None
    tiers: Annotated[tuple[TierInput, ...], Meta(max_length=MOST_TIERS)] = ()
    markup_percent: Annotated[Decimal, Meta(description="At most 2 decimals", examples=["20"])] | None = None


class PublishPlan(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Publish a plan, or its next version (role platform); subscriptions keep the version they have.

    `base_fee`, `minimum` and `included_tokens` are for a month. `usd_rate` converts what providers charge:
    units of the currency for a dollar. With `tenant_id` only that tenant may take the plan.
    """

    plan_id: Id
    name: Name
    currency: CurrencyCode
    base_fee: Amount = Decimal(0)
    minimum: Amount = Decimal(0)
    included_tokens: Tokens = 0
    charges: Annotated[tuple[ChargeInput, ...], Meta(max_length=MOST_CHARGES)] = ()
    usd_rate: Annotated[Decimal, Meta(description="At most 6 decimals", examples=["0.92"])] = Decimal(1)
    tenant_id: OtherTenant | None = None


class SetSubscription(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Subscribe the tenant to a plan's newest version (roles admin, platform).

    A first subscription begins with the local day of `starts_at` (now if left off); a change begins with the
    next period. Months begin on `anchor_day` at midnight in `time_zone`. `collection`: `none` keeps invoices
    here, `invoice_items` sends them to the payment system, `meter_events` sends it quantities that it prices
    by `remote_prices`.
    """

    plan_id: Id
    anchor_day: Annotated[int, Meta(ge=1, le=31)] = 1
    time_zone: Annotated[str, Meta(min_length=1, max_length=64, examples=["Europe/Berlin"])] = "UTC"
    starts_at: datetime | None = None
    collection: Collection = "none"
    remote_prices: Annotated[
        tuple[Annotated[str, Meta(pattern="^[A-Za-z0-9_]{1,255}$")], ...], Meta(max_length=20)
    ] = ()
    tenant_id: OtherTenant | None = None


class CancelSubscription(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End the subscription with the present period (roles admin, platform)."""

    tenant_id: OtherTenant | None = None


class GrantCredit(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Grant a tenant credit that pays its invoices (role platform).

    Lower priorities are used first, then what expires first, then what is oldest.
    """

    amount: Amount
    currency: CurrencyCode
    priority: Annotated[int, Meta(ge=0, le=LOWEST_PRIORITY)] = 50
    expires_at: datetime | None = None
    note: Annotated[str, Meta(max_length=200)] = ""
    tenant_id: OtherTenant | None = None
