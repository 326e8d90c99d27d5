"""Contract prices' use cases: load, decide, save."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from application.bus import Command, Work
from application.usage.answers import ContractPriceAnswer, ContractPriceGone
from application.usage.money import check_currency
from application.usage.ports import UsagePorts
from application.usage.price_commands import EndContractPrice, LongContextPrices, SetContractPrice
from domain.kernel.errors import FieldError, InvalidInput
from domain.usage.contract_price import ContractPrice, check_names
from domain.usage.pricing import Price, UnitPrices, nanos_of

WRITERS = ("admin",)
DEAREST_USD = 1_000_000
MOST_DECIMALS = 9


async def set_contract_price(
    command: SetContractPrice, work: Work, _ports: UsagePorts
) -> ContractPriceAnswer:
    """Set a model's price for the tenant. Raises Forbidden, InvalidInput."""
    work.caller.require(*WRITERS)
    check_currency(command.currency)
    check_prices(command)
    contract = await work.load(ContractPrice, entity_id(command.provider, command.model))
    event = contract.set(
        command.provider,
        command.model,
        unit_prices(command),
        work.at,
        effective_from=_zoned(command.effective_from),
        reason=command.reason,
    )
    await work.save(contract)
    if work.duplicate:
        contract = await work.load(ContractPrice, entity_id(command.provider, command.model))
    return ContractPriceAnswer.of(contract.current or event)


async def end_contract_price(command: EndContractPrice, work: Work, _ports: UsagePorts) -> ContractPriceGone:
    """End a model's contract price. Raises Forbidden, NotFound."""
    work.caller.require(*WRITERS)
    check_names(command.provider, command.model)
    contract = await work.load(ContractPrice, entity_id(command.provider, command.model))
    contract.end(command.provider, command.model, work.at, command.reason)
    await work.save(contract)
    return ContractPriceGone(provider=command.provider, model=command.model)


def entity_id(provider: str, model: str) -> str:
    """Return the id of a model's contract; a provider's name holds no '/'."""
    return f"{provider}/{model}"


def check_prices(command: SetContractPrice) -> None:
    """Raise InvalidInput that names every unusable price."""
    errors = list(_price_errors(command, ""))
    starts = [tier.above_input_tokens for tier in command.long_context]
    if starts != sorted(set(starts)):
        errors.append(FieldError("/long_context", "list the tiers by rising above_input_tokens, each once"))
    for index, tier in enumerate(command.long_context):
        errors += _price_errors(tier, f"/long_context/{index}")
        errors += _tier_errors(command, tier, f"/long_context/{index}")
    if errors:
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)


def _price_errors(source: SetContractPrice | LongContextPrices, at: str) -> Iterator[FieldError]:
    for field in source.__struct_fields__:
        value = getattr(source, field)
        if not isinstance(value, Decimal):
            continue
        if not value.is_finite() or not 0 <= value <= DEAREST_USD:
            yield FieldError(f"{at}/{field}", f"use 0 to {DEAREST_USD} US dollars")
        elif value * 10**MOST_DECIMALS % 1 != 0:
            yield FieldError(f"{at}/{field}", f"has more than {MOST_DECIMALS} decimals; round it")


def _tier_errors(command: SetContractPrice, tier: LongContextPrices, at: str) -> Iterator[FieldError]:
    for field in ("cached_input_per_mtok_usd", "cache_write_per_mtok_usd"):
        if getattr(tier, field) is not None and getattr(command, field) is None:
            yield FieldError(f"{at}/{field}", f"give `{field}` for shorter inputs too, or leave it off here")


def unit_prices(command: SetContractPrice) -> UnitPrices:
    """Return the prices of a command; the version is the aggregate's to give."""

    def price(field: str) -> Price | None:
        base: Decimal | None = getattr(command, field)
        if base is None:
            return None
        tiers = [(tier.above_input_tokens, getattr(tier, field)) for tier in command.long_context]
        return Price(nanos_of(base), tuple((start, nanos_of(usd)) for start, usd in tiers if usd is not None))

    plain = Price(0)
    return UnitPrices(
        version="",
        input=price("input_per_mtok_usd") or plain,
        output=price("output_per_mtok_usd") or plain,
        cached_input=price("cached_input_per_mtok_usd"),
        cache_write=price("cache_write_per_mtok_usd"),
        cache_write_1h=_flat(command.cache_write_1h_per_mtok_usd),
        reasoning=_flat(command.reasoning_per_mtok_usd),
        audio_input=_flat(command.audio_input_per_mtok_usd),
        audio_output=_flat(command.audio_output_per_mtok_usd),
        request_nanos=nanos_of(command.request_usd),
        search_nanos=nanos_of(command.web_search_usd),
    )


def _flat(usd: Decimal | None) -> Price | None:
    return None if usd is None else Price(nanos_of(usd))


def _zoned(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


HANDLERS: Mapping[type[Command], Callable[[Any, Work, UsagePorts], Awaitable[Any]]] = {
    SetContractPrice: set_contract_price,
    EndContractPrice: end_contract_price,
}
