"""Where commands come together, those that come a moment apart share a transaction, too."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.event_store import EventStore, append_request, open_store


async def test_after_a_batch_with_company_the_next_waits_a_moment_for_as_much(
    store: EventStore, tmp_path: Path
) -> None:
    sizes: list[int] = []
    async with open_store(
        store.endpoint, tmp_path / "keys", observe=lambda size, _seconds: sizes.append(size)
    ) as watched:
        loop = asyncio.get_running_loop()

        def begin(number: int) -> asyncio.Task[object]:
            return loop.create_task(watched.log.append(append_request(number, stream=f"t1/counter/{number}")))

        await begin(0)
        await asyncio.gather(*map(begin, range(1, 6)))
        apart = []
        for number in range(6, 11):
            apart.append(begin(number))
            for _ in range(10):  # turns of the loop, of which a lane that began at once would need two
                await asyncio.sleep(0)
        await asyncio.gather(*apart)
        await begin(11)
        await begin(12)
    assert sizes == [1, 5, 5, 1, 1]
