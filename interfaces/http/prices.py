"""Prices: a tenant's contracts, what a model costs at a time and why, and the editions of the price book."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from litestar import Response, Router
from litestar.params import JSONBody, QueryParameter

from application.bus import Outcome
from application.usage.price_commands import EndContractPrice, SetContractPrice
from domain.kernel.errors import NotFound
from domain.orchestration.catalogue import Target
from domain.usage.contract_price import LONGEST_NAME, LONGEST_REASON
from domain.usage.pricing import Price, UnitPrices, usd_per_million
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Instant, Limit, instant
from interfaces.http.request import ApiRequest
from interfaces.http.routing import ADMIN, USERS, read, remove, replace
from interfaces.http.writes import HEADER
from projections.usage import price_queries
from projections.usage.price_queries import ContractVersion, Edition

ProviderName = Annotated[
    str,
    QueryParameter(name="provider", min_length=1, max_length=LONGEST_NAME, description="The provider."),
]
ModelName = Annotated[
    str,
    QueryParameter(name="model", min_length=1, max_length=LONGEST_NAME, description="Its model."),
]
At = Annotated[
    Instant | None, QueryParameter(name="at", max_length=40, description="At this time; now if left off.")
]
Reason = Annotated[
    str, QueryParameter(name="reason", max_length=LONGEST_REASON, description="Why; it stays in the log.")
]
T = TypeVar("T")
Source = Literal["contract", "provider", "book", "embedded"]


class Tier(msgspec.Struct, frozen=True):
    """A price for requests whose input is longer than `above_input_tokens`."""

    above_input_tokens: int
    usd: str


class PriceView(msgspec.Struct, frozen=True):
    """US dollars for a million tokens."""

    usd: str
    long_context: list[Tier]

    @classmethod
    def of(cls, price: Price | None) -> PriceView | None:
        """Return a price for people."""
        if price is None:
            return None
        return cls(
            usd_per_million(price.nanos), [Tier(start, usd_per_million(n)) for start, n in price.tiers]
        )


class PricesView(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of a model; a class that is null costs as input or output. Fees are for one call."""

    input: PriceView | None
    output: PriceView | None
    cached_input: PriceView | None
    cache_write: PriceView | None
    cache_write_1h: PriceView | None
    reasoning: PriceView | None
    audio_input: PriceView | None
    audio_output: PriceView | None
    request_usd: str
    web_search_usd: str

    @classmethod
    def of(cls, prices: UnitPrices) -> PricesView:
        """Return prices for people."""
        classes: dict[str, Any] = {
            name: PriceView.of(getattr(prices, name))
            for name in cls.__struct_fields__
            if not name.endswith("_usd")
        }
        return cls(
            **classes,
            request_usd=usd_per_million(prices.request_nanos),
            web_search_usd=usd_per_million(prices.search_nanos),
        )


class ContractView(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model's contract price; `price_version` stands in what it priced."""

    provider: str
    model: str
    number: int
    price_version: str
    set_at: datetime
    set_by: str
    effective_from: datetime
    ended: bool
    prices: PricesView | None
    reason: str
    position: int

    @classmethod
    def of(cls, found: ContractVersion) -> ContractView:
        """Return a version for people."""
        fields = msgspec.structs.asdict(found)
        prices = None if found.prices is None else PricesView.of(found.prices)
        return cls(**(fields | {"prices": prices, "price_version": f"contract@{found.number}"}))


class ContractWritten(msgspec.Struct, frozen=True, kw_only=True):
    """The contract price as it is now."""

    provider: str
    model: str
    number: int
    price_version: str
    set_at: datetime
    effective_from: datetime
    prices: PricesView
    reason: str
    position: int


class ContractEnded(msgspec.Struct, frozen=True, kw_only=True):
    """The model whose contract price has ended."""

    provider: str
    model: str
    position: int


class EffectivePrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a request of the tenant would cost at a time, and where the price comes from."""

    provider: str
    model: str
    at: datetime
    source: Source
    price_version: str
    prices: PricesView


@replace("/usage/prices", roles=(ADMIN,), summary="Set a contract price", operation_id="setContractPrice")
async def set_price(request: ApiRequest, data: JSONBody[SetContractPrice]) -> Response[ContractWritten]:
    """Set what a model costs this tenant, before any list price; nothing is ever priced anew."""
    outcome = await request.dispatch(data)
    found = outcome.result
    fields = msgspec.structs.asdict(found) | {"prices": PricesView.of(found.prices)}
    version = found.prices.version
    return _written(outcome, ContractWritten(**fields, price_version=version, position=outcome.position))


@remove(
    "/usage/prices",
    roles=(ADMIN,),
    fails=(404,),
    summary="End a contract price",
    operation_id="endContractPrice",
)
async def end_price(
    request: ApiRequest, provider: ProviderName, model: ModelName, reason: Reason = ""
) -> Response[ContractEnded]:
    """End a model's contract price now; list prices hold again."""
    outcome = await request.dispatch(EndContractPrice(provider=provider, model=model, reason=reason))
    return _written(outcome, ContractEnded(provider=provider, model=model, position=outcome.position))


@read("/usage/prices", roles=USERS, summary="List contract prices", operation_id="listContractPrices")
async def list_prices(request: ApiRequest, limit: Limit = 50, cursor: Cursor = None) -> Page[ContractView]:
    """List the tenant's contracts that have not ended, by provider and model."""
    after = _pair(cursor)
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = await price_queries.list_contract_prices(conn, limit=limit + 1, after=after)
    views = [ContractView.of(each) for each in found]
    return Page.of(views, limit, lambda last: cursor_of("prices", last.provider, last.model))


@read(
    "/usage/prices/history",
    roles=USERS,
    summary="List the versions of a contract price",
    operation_id="getContractPriceHistory",
)
async def get_history(
    request: ApiRequest,
    provider: ProviderName,
    model: ModelName,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ContractView]:
    """List what was set for a model, newest first: when, by whom, and why."""
    before = int(place_of(cursor, "price-history", int)[0]) if cursor else None
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = await price_queries.contract_price_history(
            conn, provider, model, limit=limit + 1, before=before
        )
    views = [ContractView.of(each) for each in found]
    return Page.of(views, limit, lambda last: cursor_of("price-history", last.number))


@read(
    "/usage/prices/effective",
    roles=USERS,
    fails=(404,),
    summary="Tell what a model costs",
    operation_id="getEffectivePrice",
)
async def get_effective(
    request: ApiRequest, provider: ProviderName, model: ModelName, at: At = None
) -> EffectivePrice:
    """Tell what requests that start at a time cost: by contract, provider, or price book.

    404 where no price is known: such usage is `unpriced`, never free.
    """
    when = instant("at", at) or request.services.clock()
    found = request.services.prices_of(request.caller.tenant, Target(provider, model), when)
    if found is None:
        raise NotFound(
            f"no price of '{provider}/{model}' is known; PUT /api/ai-advanced/usage/prices sets one"
        )
    return EffectivePrice(
        provider=provider,
        model=model,
        at=when,
        source=_source(found.version),
        price_version=found.version,
        prices=PricesView.of(found),
    )


@read(
    "/usage/prices/editions",
    roles=USERS,
    summary="List editions of the price book",
    operation_id="listPriceBooks",
)
async def list_editions(request: ApiRequest) -> Page[Edition]:
    """List the imported editions of the public price book, newest first; each is immutable."""
    await request.services.read_barrier()
    async with request.reading() as conn:
        return Page(await price_queries.list_price_books(conn))


def _pair(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    provider, model = place_of(cursor, "prices", str, str)
    return str(provider), str(model)


def _source(version: str) -> Source:
    if version.startswith("contract@"):
        return "contract"
    if version == "local":
        return "embedded"
    return "book" if "/" in version else "provider"


def _written(outcome: Outcome, body: T) -> Response[T]:
    return Response(body, headers={HEADER: str(outcome.position)})


router = Router(
    "/",
    route_handlers=[set_price, end_price, list_prices, get_history, get_effective, list_editions],
    tags=["usage"],
)
