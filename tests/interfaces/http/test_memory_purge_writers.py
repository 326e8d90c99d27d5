"""Memories that are added while their person is being erased: erased, refused, or kept whole; never half."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from domain.kernel.personal import Erased
from domain.memory.events import MemoryAdded
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRITERS, BATCH = 6, 4
PAUSE_S = 0.05
"""Between two requests of a writer, so that the read models, which a purge waits for, keep up."""


@dataclass
class Told:
    """What writers were told: `added` maps ids to contents, `batches` are ids that came together."""

    added: dict[str, str] = field(default_factory=dict)
    batches: list[list[str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    async def more(self, number: int) -> None:
        """Return when so many more memories were added."""
        wanted = len(self.added) + number

        async def there() -> bool:
            return len(self.added) >= wanted

        await until(there, f"{number} more memories are added", 30.0)


async def write(tenant: Any, writer: int, told: Told, stop: asyncio.Event, subject: str = "anna") -> None:
    """Add one memory, then four at once, and so on."""
    for number in count():
        if stop.is_set():
            return
        size = BATCH if number % 2 else 1
        contents = [f"zebra {subject} w{writer}n{number}i{index}" for index in range(size)]
        items = [{"content": content, "subject_id": subject} for content in contents]
        if size == 1:
            answer = await tenant.call("POST", "/memory", json=items[0])
        else:
            answer = await tenant.call("POST", "/memory/batch", json={"items": items})
        told.statuses[answer.status_code] += 1
        if answer.status_code == 201:
            made = answer.json()["items"] if size > 1 else [answer.json()]
            ids = [each["id"] for each in made]
            told.added |= dict(zip(ids, contents, strict=True))
            told.batches.append(ids)
        else:
            told.refused += contents
        await asyncio.sleep(PAUSE_S)


async def listed(tenant: Any, subject: str) -> dict[str, str]:
    """Return everything that the list shows of a person, page by page."""
    found: dict[str, str] = {}
    params: dict[str, Any] = {"subject_id": subject, "limit": 500}
    while True:
        page = (await tenant.call("GET", "/memory", params=params)).json()
        found |= {item["id"]: item["content"] for item in page["items"]}
        if not page["next_cursor"]:
            return found
        params["cursor"] = page["next_cursor"]


async def test_what_was_acknowledged_before_a_purge_goes_and_the_rest_is_whole(product):
    tenant = await product.tenant()
    told, bens, stop = Told(), Told(), asyncio.Event()
    writers = [asyncio.create_task(write(tenant, n, told, stop)) for n in range(WRITERS)]
    neighbour = asyncio.create_task(write(tenant, 99, bens, stop, "ben"))
    await told.more(60)
    # when
    acknowledged = set(told.added)
    answer = await tenant.call("DELETE", "/memory/purge", json={"reason": "request", "subject_id": "anna"})
    await told.more(30)
    stop.set()
    await asyncio.gather(*writers, neighbour)
    # then every writer had one of two answers, and the neighbour one
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert set(told.statuses) == {201, 409}
    assert set(bens.statuses) == {201}
    # and each memory is there with all of it, or not at all, in every reading and in the log
    kept = await listed(tenant, "anna")
    assert kept.items() <= told.added.items()
    assert not acknowledged & set(kept)
    assert not set(told.refused) & set(kept.values())
    gone = set(told.added) - set(kept)
    assert answer.json()["erased"]["memories"] == len(gone)
    assert {len(set(batch) & gone) for batch in told.batches} <= {0, 1, BATCH}
    assert all(set(batch) <= gone or not set(batch) & gone for batch in told.batches)
    await assert_whole_in_readings(tenant, kept, gone)
    await assert_whole_in_log(product, tenant, {**kept, **bens.added}, gone)
    assert await listed(tenant, "ben") == bens.added


async def assert_whole_in_readings(tenant: Any, kept: dict[str, str], gone: set[str]) -> None:
    for memory_id in sorted(gone):
        assert (await tenant.call("GET", f"/memory/{memory_id}")).status_code == 404
    for memory_id, content in kept.items():
        assert (await tenant.call("GET", f"/memory/{memory_id}")).json()["content"] == content
    body = {"query": "zebra anna", "limit": 100, "filters": {"subject_id": "anna"}}
    found = (await tenant.call("POST", "/memory/search", json=body)).json()["items"]
    assert found
    assert all(kept[item["id"]] == item["content"] for item in found)


async def assert_whole_in_log(product: Any, tenant: Any, kept: dict[str, str], gone: set[str]) -> None:
    """What is gone opens for no reader, what stays for every one, and nothing else was stored."""
    seen = set()
    async for envelope in product.api.runtime.log.read(types=[MemoryAdded.TYPE], tenant=tenant.name):
        event = envelope.event
        seen.add(event.memory_id)
        if event.memory_id in gone:
            assert isinstance(event.content, Erased)
            assert isinstance(event.details, Erased)
        else:
            assert event.content == kept[event.memory_id]
    assert seen == gone | set(kept)
