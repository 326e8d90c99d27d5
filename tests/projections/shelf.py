"""A small read model for tests of the framework: a shelf of items, with a counter for each tenant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Index, MetaData, Table, Text

from domain.kernel.events import Envelope, Event
from projections.ops import Add, Delete, Insert, RowOp, Update
from projections.projection import Projection
from projections.tables import tenant_key

_METADATA = MetaData()
items = Table(
    "shelf_items",
    _METADATA,
    tenant_key(),
    Column("item", Text, primary_key=True),
    Column("label", Text),
    Column("position", BigInteger, nullable=False),
    Index("shelf_items_label", "tenant", "label"),
)
totals = Table(
    "shelf_totals", _METADATA, tenant_key(), Column("added", BigInteger, nullable=False, server_default="0")
)


class ItemAdded(Event, frozen=True, kw_only=True):
    """An item came to the shelf."""

    TYPE: ClassVar[str] = "shelf.item_added"
    item: str
    label: str | None = None


class ItemRelabelled(Event, frozen=True, kw_only=True):
    """An item got another label."""

    TYPE: ClassVar[str] = "shelf.item_relabelled"
    item: str
    label: str


class ItemRemoved(Event, frozen=True, kw_only=True):
    """An item left the shelf."""

    TYPE: ClassVar[str] = "shelf.item_removed"
    item: str


class Unrelated(Event, frozen=True, kw_only=True):
    """Something that the shelf does not care about."""

    TYPE: ClassVar[str] = "other.unrelated"


def item_added(envelope: Envelope[ItemAdded]) -> Iterable[RowOp]:
    event = envelope.event
    if event.label == "poison":
        raise ValueError("a label nobody can digest")
    row = {"tenant": envelope.tenant, "item": event.item, "label": event.label, "position": envelope.position}
    yield Insert(items, row)
    yield Add(totals, [(envelope.tenant,)], {"added": 1})


def item_relabelled(envelope: Envelope[ItemRelabelled]) -> Iterable[RowOp]:
    key = {"tenant": envelope.tenant, "item": envelope.event.item}
    yield Update(items, key, {"label": envelope.event.label})


def item_removed(envelope: Envelope[ItemRemoved]) -> Iterable[RowOp]:
    yield Delete(items, {"tenant": envelope.tenant, "item": envelope.event.item})


HANDLERS: dict[type[Event], Any] = {
    ItemAdded: item_added,
    ItemRelabelled: item_relabelled,
    ItemRemoved: item_removed,
}

SHELF = Projection(name="shelf", version=1, tables=(items, totals), handlers=HANDLERS)
EVENTS: tuple[type[Event], ...] = (*HANDLERS, Unrelated)
