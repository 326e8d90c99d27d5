"""What a tenant says of a provider: its models with their limits and prices.

These structs stand in events, so they carry no limits; `provider_check` holds the rules for new providers.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

Dialect = Literal["openai", "anthropic"]
RESERVED = ("openai", "anthropic", "local")


class ModelPrices(msgspec.Struct, frozen=True, kw_only=True):
    """Prices in US dollars per million tokens; cached input and cache writes cost as input when not given."""

    input_per_mtok_usd: Decimal
    output_per_mtok_usd: Decimal
    cached_input_per_mtok_usd: Decimal | None = None
    cache_write_per_mtok_usd: Decimal | None = None


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a provider, by the name the provider knows it under."""

    name: str
    prices: ModelPrices | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
