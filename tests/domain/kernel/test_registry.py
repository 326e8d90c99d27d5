"""The registry of event types: names once, versions without gaps, old shapes lifted one step at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from domain.kernel.events import Event, EventRegistry
from infrastructure.event_store.codec import StoredRow, decode


class Renamed(Event, frozen=True, kw_only=True):
    """In its third shape: `label` was `title` in the second and `name` in the first."""

    TYPE: ClassVar[str] = "test.renamed"
    SCHEMA_VERSION: ClassVar[int] = 3

    label: str
    count: int


def to_second(state: dict[str, Any]) -> dict[str, Any]:
    return {"title": state["name"]}


def to_third(state: dict[str, Any]) -> dict[str, Any]:
    return {"label": state["title"], "count": 0}


UPCASTERS = {("test.renamed", 1): to_second, ("test.renamed", 2): to_third}


class Plain(Event, frozen=True, kw_only=True):
    """Has one shape."""

    TYPE: ClassVar[str] = "test.plain"


class Impostor(Event, frozen=True, kw_only=True):
    """Claims another event's name."""

    TYPE: ClassVar[str] = "test.plain"


def row(schema_version: int, state: object) -> StoredRow:
    return StoredRow(
        position=1,
        tenant="t",
        stream_id="t/x/1",
        version=1,
        type="test.renamed",
        schema_version=schema_version,
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        command_id="c",
        correlation="r",
        actor="a",
        data=msgspec.json.encode(state),
        key_ids=[],
    )


@pytest.mark.parametrize(
    ("schema_version", "state", "expected"),
    [
        (1, {"name": "a"}, Renamed(label="a", count=0)),
        (2, {"title": "b"}, Renamed(label="b", count=0)),
        (3, {"label": "c", "count": 7}, Renamed(label="c", count=7)),
    ],
)
def test_every_shape_ever_stored_decodes_to_the_newest(
    schema_version: int, state: dict[str, Any], expected: Renamed
) -> None:
    registry = EventRegistry()
    registry.register([Renamed], UPCASTERS)
    assert decode(row(schema_version, state), registry, lambda _kid: None).event == expected


def test_a_gap_in_the_chain_of_upcasters_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="no upcaster from version 2"):
        EventRegistry().register([Renamed], {("test.renamed", 1): to_second})


def test_a_name_belongs_to_one_class() -> None:
    registry = EventRegistry()
    registry.register([Plain])
    registry.register([Plain])
    with pytest.raises(ValueError, match=r"'test\.plain' is registered twice"):
        registry.register([Impostor])


def test_an_unnamed_class_is_refused() -> None:
    with pytest.raises(ValueError, match="no stored type name"):
        EventRegistry().register([Event])
