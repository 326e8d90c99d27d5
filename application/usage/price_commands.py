"""What a client may ask of prices."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from application.bus import Command
from domain.usage.contract_price import LONGEST_NAME, LONGEST_REASON

MOST_TIER_START = 100_000_000
Usd = Annotated[
    Decimal,
    Meta(
        description="US dollars, a decimal string or number of at most 9 decimals",
        examples=["0.15"],
    ),
]
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Reason = Annotated[str, Meta(max_length=LONGEST_REASON, description="Why; it stays in the log.")]
TierStart = Annotated[int, Meta(ge=1, le=MOST_TIER_START)]


class LongContextPrices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every token of a request costs whose input is longer than `above_input_tokens`."""

    above_input_tokens: TierStart
    input_per_mtok_usd: Usd
    output_per_mtok_usd: Usd
    cached_input_per_mtok_usd: Usd | None = None
    cache_write_per_mtok_usd: Usd | None = None


class SetContractPrice(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set what a model costs this tenant, before any list price (role admin).

    Prices are for a million tokens, fees for one request or one search of the provider's own tool. What is
    left off costs as input or output, fees nothing. It applies to requests that start at `effective_from`
    (now, if left off) or later; what was priced before stays as it is.
    """

    provider: Name
    model: Name
    input_per_mtok_usd: Usd
    output_per_mtok_usd: Usd
    cached_input_per_mtok_usd: Usd | None = None
    cache_write_per_mtok_usd: Usd | None = None
    cache_write_1h_per_mtok_usd: Usd | None = None
    reasoning_per_mtok_usd: Usd | None = None
    audio_input_per_mtok_usd: Usd | None = None
    audio_output_per_mtok_usd: Usd | None = None
    request_usd: Usd = Decimal(0)
    web_search_usd: Usd = Decimal(0)
    long_context: Annotated[tuple[LongContextPrices, ...], Meta(max_length=8)] = ()
    effective_from: datetime | None = None
    currency: str = "USD"
    reason: Reason = ""


class EndContractPrice(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End a model's contract price now (role admin). Raises NotFound when there is none."""

    provider: Name
    model: Name
    reason: Reason = ""
