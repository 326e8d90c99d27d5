"""Auditors' pages of the log, on a real event store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from application.event_listing import EventFilter
from application.ports import AppendRequest, NewEvent
from domain.kernel.events import UnknownEvent
from infrastructure.database import engines
from infrastructure.event_store.listing import EventListing
from tests.event_store import Counted, EventStore, PersonNoted, append_request


@pytest.fixture
async def listing(store: EventStore) -> AsyncIterator[EventListing]:
    """Six events of t1 (five numbers, one note) around one of t2; positions 1 to 7."""
    for number in (1, 2, 3):
        await store.log.append(append_request(number))
    await store.log.append(append_request(4, tenant="t2", stream="t2/counter/1"))
    await store.log.append(append_request(5, stream="t1/counter/1"))
    await store.log.append(append_request(6, stream="t1/other/1"))
    note = PersonNoted(subject="p1", text="hello")
    await store.log.append(AppendRequest("t1", "c7", (NewEvent("t1/note/1", note),), "r1", "key/other"))
    pool = engines.pool(store.endpoint.app_dsn, application="test-listing")
    await pool.open()
    yield EventListing(pool, store.reader)
    await pool.close()


async def positions(
    listing: EventListing, *, newest_first: bool = False, limit: int = 50, **wanted
) -> list[int]:
    found = await listing("t1", EventFilter(**wanted), limit=limit, newest_first=newest_first)
    return [envelope.position for envelope in found]


async def test_a_tenant_s_events_are_listed_by_position_from_either_end(listing):
    assert await positions(listing) == [1, 2, 3, 5, 6, 7]
    assert await positions(listing, newest_first=True, limit=2) == [7, 6]
    assert await positions(listing, after=3, limit=2) == [5, 6]
    assert await positions(listing, before=6, newest_first=True, limit=2) == [5, 3]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"type": Counted.TYPE}, [1, 2, 3, 5, 6]),
        ({"type": "test.person_*"}, [7]),
        ({"type": "test."}, []),
        ({"stream": "t1/counter/1"}, [1, 5]),
        ({"stream": "t1/counter/*"}, [1, 2, 3, 5]),
        ({"stream": "t2/counter/1"}, []),
        ({"actor": "key/other"}, [7]),
        ({"actor": "key/test", "type": Counted.TYPE, "after": 5}, [6]),
    ],
)
async def test_filters_combine(listing, wanted, expected):
    assert await positions(listing, **wanted) == expected


async def test_times_are_bounds_of_when_events_were_recorded(listing):
    third = (await listing("t1", EventFilter(after=2), limit=1))[0].recorded_at
    moment = timedelta(microseconds=1)

    assert await positions(listing, since=third) == [3, 5, 6, 7]
    assert await positions(listing, until=third) == [1, 2]
    assert await positions(listing, since=third, until=third + moment) == [3]
    assert await positions(listing, since=third + timedelta(days=1)) == []
    assert await positions(listing, until=third - timedelta(days=1)) == []


async def test_personal_fields_come_decoded_and_unknown_types_as_such(listing, store: EventStore):
    (note,) = await listing("t1", EventFilter(actor="key/other"), limit=1)
    assert note.event.text == "hello"

    store.reader._registry._classes.clear()  # as an older version of the product would see the log

    (unknown, *_) = await listing("t1", EventFilter(), limit=1)
    assert isinstance(unknown.event, UnknownEvent)
