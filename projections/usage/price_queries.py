"""Reads editions of the price book and contract prices; the only reader of their tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, Text, cast, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.usage.pricing import UnitPrices
from projections.usage.price_tables import contract_prices, price_books

_c = contract_prices.c
_PRICES = msgspec.json.Decoder(UnitPrices)


class Edition(msgspec.Struct, frozen=True, kw_only=True):
    """One imported edition of the public price book; hashes are SHA-256 in hex, of the package's data and of
    what was extracted from it, which stands in the log at `position`.
    """

    edition: str
    package: str
    package_version: str
    source_hash: str
    content_hash: str
    providers: int
    models: int
    imported_at: datetime
    position: int


class ContractVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model's contract; an `ended` one has no prices."""

    provider: str
    model: str
    number: int
    set_at: datetime
    set_by: str
    effective_from: datetime
    ended: bool
    prices: UnitPrices | None
    reason: str
    position: int


async def list_price_books(conn: AsyncConnection, limit: int = 100) -> list[Edition]:
    """Return the editions of the installation, the newest first."""
    query = select(price_books).order_by(price_books.c.position.desc()).limit(limit)
    return [Edition(**row) for row in (await conn.execute(query)).mappings()]


async def list_contract_prices(
    conn: AsyncConnection, *, limit: int, after: tuple[str, str] | None = None
) -> list[ContractVersion]:
    """Return the newest version of each contract that has not ended, by provider and model."""
    newest = (
        _versions()
        .ext(distinct_on(_c.provider, _c.model))
        .order_by(_c.provider, _c.model, _c.number.desc())
        .subquery("newest")
    )
    query = select(newest).where(~newest.c.ended).order_by(newest.c.provider, newest.c.model).limit(limit)
    if after is not None:
        query = query.where(tuple_(newest.c.provider, newest.c.model) > tuple_(*after))
    return [_version(row) for row in (await conn.execute(query)).mappings()]


async def contract_price_history(
    conn: AsyncConnection, provider: str, model: str, *, limit: int, before: int | None = None
) -> list[ContractVersion]:
    """Return the versions of a model's contract, newest first, those below `before`."""
    query = _versions().where(_c.provider == provider, _c.model == model)
    if before is not None:
        query = query.where(_c.number < before)
    rows = await conn.execute(query.order_by(_c.number.desc()).limit(limit))
    return [_version(row) for row in rows.mappings()]


def _versions() -> Select[Any]:
    columns = (column for column in _c if column.name not in {"tenant", "prices"})
    return select(*columns, cast(_c.prices, Text).label("prices"))


def _version(row: Any) -> ContractVersion:
    fields = dict(row)
    told = fields.pop("prices")
    prices = None if told in {None, "null"} else _PRICES.decode(told)
    return ContractVersion(**fields, prices=prices)
