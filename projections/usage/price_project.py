"""Folds editions of the price book and contract prices into lists."""

from __future__ import annotations

from collections.abc import Iterable

from domain.kernel.events import Envelope
from domain.usage.price_events import ContractPriceEnded, ContractPriceSet, PriceBookImported
from projections.ops import Insert, RowOp, Upsert
from projections.projection import Projection
from projections.usage.price_tables import contract_prices, price_books

_EDITION = tuple(column.name for column in price_books.c if column.name != "position")


def price_book_imported(envelope: Envelope[PriceBookImported]) -> Iterable[RowOp]:
    """List the edition; its content stays in the log."""
    event = envelope.event
    columns = (name for name in _EDITION)
    yield Upsert(
        price_books, {**{name: getattr(event, name) for name in columns}, "position": envelope.position}
    )


def contract_price_set(envelope: Envelope[ContractPriceSet]) -> Iterable[RowOp]:
    """Keep the version."""
    event = envelope.event
    yield Insert(
        contract_prices,
        {
            "tenant": envelope.tenant,
            "provider": event.provider,
            "model": event.model,
            "number": event.number,
            "set_at": event.set_at,
            "set_by": envelope.actor,
            "effective_from": event.effective_from,
            "ended": False,
            "prices": event.prices,
            "reason": event.reason,
            "position": envelope.position,
        },
    )


def contract_price_ended(envelope: Envelope[ContractPriceEnded]) -> Iterable[RowOp]:
    """Keep the end as a version without prices."""
    event = envelope.event
    yield Insert(
        contract_prices,
        {
            "tenant": envelope.tenant,
            "provider": event.provider,
            "model": event.model,
            "number": event.number,
            "set_at": event.ended_at,
            "set_by": envelope.actor,
            "effective_from": event.ended_at,
            "ended": True,
            "prices": None,
            "reason": event.reason,
            "position": envelope.position,
        },
    )


PRICES = Projection(
    name="prices",
    version=1,
    tables=(price_books, contract_prices),
    handlers={
        PriceBookImported: price_book_imported,
        ContractPriceSet: contract_price_set,
        ContractPriceEnded: contract_price_ended,
    },
)
