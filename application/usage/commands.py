"""What a client may ask of usage."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from application.bus import Command
from domain.usage.quota import LONGEST_ID, MOST_MICROS, MOST_TOKENS, ScopeKind

TokenLimit = Annotated[
    int, Meta(ge=1, le=MOST_TOKENS, description="Input and output tokens a calendar month; null: no limit")
]
CostLimit = Annotated[
    Decimal,
    Meta(
        description=f"US dollars a calendar month, at most {MOST_MICROS // 10**6}, as a number or decimal "
        "string of at most 6 decimals; null: no limit",
        examples=["50.00"],
    ),
]


class SetQuota(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set the monthly limits of a scope as a whole (roles admin, operator).

    Without `scope` it is the tenant's. What is left off or null is no limit. A limit below what is used
    refuses at once and takes nothing back. `time_zone` is that of the tenant's months. With
    `shrink_max_tokens` an answer is shortened to what remains, where the request itself fits.
    """

    scope: ScopeKind = "tenant"
    id: Annotated[str, Meta(max_length=LONGEST_ID)] = ""
    monthly_token_limit: TokenLimit | None = None
    monthly_cost_limit_usd: CostLimit | None = None
    hard_cap_enabled: bool = True
    soft_cap_enabled: bool = True
    soft_cap_threshold: Annotated[float, Meta(gt=0, le=1)] = 0.8
    shrink_max_tokens: bool = False
    currency: Annotated[str, Meta(max_length=20, description="USD; no other is known")] = "USD"
    time_zone: Annotated[str, Meta(min_length=1, max_length=64, examples=["Europe/Berlin"])] = "UTC"
