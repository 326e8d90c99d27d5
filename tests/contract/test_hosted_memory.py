"""Hosted Mem0 through its real SDK, on a local server that speaks its protocol."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from application.memory.hosted import HostedCopy, mirror
from application.ports import AppendRequest, NewEvent
from domain.kernel.errors import Unavailable
from domain.memory.events import MemoryAdded, MemoryDeleted, MemoryDetails, MemoryUpdated
from infrastructure.memory.mem0 import HostedMem0
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.mem0_server import KEY, Mem0Server, running_mem0

NOW = datetime(2030, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def server() -> Iterator[Mem0Server]:
    with running_mem0() as running:
        yield running


@pytest.fixture
def hosted(server: Mem0Server, tmp_path: Path) -> HostedMem0:
    return HostedMem0(KEY, tmp_path / "mem0", server.url)


def copy(memory_id: str = "mem_1", content: str = "likes tea", **fields: Any) -> HostedCopy:
    usual: dict[str, Any] = {"tenant": "acme", "subject": "s_anna", "category": "support", "occurred_at": 7}
    return HostedCopy(memory_id=memory_id, content=content, **usual | fields)


async def test_a_copy_is_kept_as_it_is_under_a_pseudonym(server, hosted) -> None:
    await hosted.put(copy(metadata={"k": 1}, agent_id="bot", session_id="s1"))
    (kept,) = server.memories.values()
    assert (kept["memory"], kept["user_id"], kept["infer"]) == ("likes tea", "acme:s_anna", False)
    assert kept["metadata"] == {"k": 1, "aios_memory_id": "mem_1", "category": "support"}
    assert (kept["agent_id"], kept["run_id"], kept["timestamp"]) == ("bot", "s1", 7)


async def test_putting_again_replaces(server, hosted) -> None:
    for content in ("likes tea", "likes coffee", "likes coffee"):
        await hosted.put(copy(content=content))
    assert [memory["memory"] for memory in server.memories.values()] == ["likes coffee"]


async def test_copies_are_removed_and_their_neighbours_stay(server, hosted) -> None:
    for number in range(130):
        await hosted.put(copy(f"mem_{number}"))
    await hosted.put(copy("mem_x", subject="s_bert"))
    gone = [f"mem_{number}" for number in range(120, 130)]
    assert await hosted.remains("acme", "s_anna", gone) == 10
    assert await hosted.remove("acme", "s_anna", gone) == 10
    assert await hosted.remove("acme", "s_anna", gone) == await hosted.remains("acme", "s_anna", gone) == 0
    assert await hosted.remove("beta", "s_anna", ["mem_1"]) == 0
    assert len(server.memories) == 121


async def test_a_service_that_fails_is_unavailable_and_says_no_content(server, hosted) -> None:
    server.failing = True
    with pytest.raises(Unavailable) as told:
        await hosted.put(copy(content="a secret"))
    assert "secret" not in str(told.value)
    server.failing = False
    await hosted.put(copy())
    assert len(server.memories) == 1


async def test_a_wrong_key_is_unavailable(server, tmp_path) -> None:
    with pytest.raises(Unavailable, match="Mem0"):
        await HostedMem0("wrong", tmp_path, server.url).put(copy())


async def test_the_sdk_reports_to_nobody_and_writes_only_where_it_was_told(server, hosted, tmp_path) -> None:
    await hosted.put(copy())
    assert os.environ["MEM0_TELEMETRY"] == "False"
    assert os.environ["MEM0_DIR"].endswith("mem0")
    assert {path for _, path in server.requests} == {"/v1/ping/", "/v3/memories/", "/v3/memories/add/"}


def event(cls: type = MemoryAdded, content: str = "likes tea", **fields: Any) -> Any:
    times = {"occurred_at": NOW, "added_at": NOW, "changed_at": NOW}
    details = MemoryDetails(user_id="anna")
    return cls(
        memory_id="mem_1",
        subject="s_anna",
        category="support",
        content=content,
        details=details,
        **times,
        **fields,
    )


async def test_a_memory_that_goes_while_its_copy_is_on_the_way_leaves_none(server, hosted) -> None:
    log, loop = InMemoryEventLog(), asyncio.get_running_loop()
    await log.append(AppendRequest("acme", "1", (NewEvent("acme/memory/mem_1", event()),)))
    gone = MemoryDeleted(
        memory_id="mem_1", subject="s_anna", category="support", occurred_at=NOW, deleted_at=NOW
    )

    def delete() -> None:
        fact = NewEvent("acme/memory/mem_1", gone)
        asyncio.run_coroutine_threadsafe(log.append(AppendRequest("acme", "2", (fact,))), loop).result(5)

    server.before_add = delete
    await mirror(log, hosted, "acme", "mem_1", "s_anna")
    assert ("POST", "/v3/memories/add/") in server.requests
    assert server.memories == {}


async def test_the_copy_follows_the_log_whatever_order_the_jobs_come_in(server, hosted) -> None:
    log = InMemoryEventLog()

    async def happened(number: int, *events: Any) -> None:
        facts = tuple(NewEvent("acme/memory/mem_1", each) for each in events)
        await log.append(AppendRequest(tenant="acme", command_id=str(number), events=facts))

    async def mirrored() -> list[str]:
        await mirror(log, hosted, "acme", "mem_1", "s_anna")
        return [memory["memory"] for memory in server.memories.values()]

    await happened(1, event(), event(MemoryUpdated, "likes coffee"))
    assert await mirrored() == await mirrored() == ["likes coffee"]
    await happened(2, event(MemoryUpdated, "a diagnosis", confined=True))
    assert await mirrored() == []
    await happened(3, event(MemoryUpdated, "likes cocoa"))
    assert await mirrored() == ["likes cocoa"]
    gone = MemoryDeleted(
        memory_id="mem_1", subject="s_anna", category="support", occurred_at=NOW, deleted_at=NOW
    )
    await happened(4, gone)
    assert await mirrored() == []
