"""API processes killed under load and a hard cap: each answer is booked once, and nothing stays held."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.test_product_kills import CLIENTS, SPAN, Load, recorded
from tests.faults.upstream_process import upstream_process
from tests.product import Product, running_product, wait_until

API = "/api/ai-advanced"
ROUNDS = 5
SEED = 20_261_127
HELD_S = 90.0


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Two API processes, a slow provider, and a hard cap that is never reached."""
    folder = tmp_path_factory.mktemp("quota-kills") / "d"
    with (
        running_product(folder, AIOS_WEB_WORKERS="2") as product,
        upstream_process("slow=0.05") as url,
        product.client() as client,
    ):
        body = {"name": "fake", "dialect": "openai", "base_url": f"{url}/v1", "api_key": "sk-fake"}
        assert client.post(f"{API}/providers", json=body).is_success
        limits = {"monthly_token_limit": 10**9, "monthly_cost_limit_usd": 1000}
        assert client.put(f"{API}/usage/quota", json=limits).is_success
        yield product


def quota(product: Product) -> dict[str, object]:
    with product.client() as client:
        return dict(client.get(f"{API}/usage/quota").json())


async def kill_rounds(product: Product, load: Load) -> None:
    """Kill one of the two processes, wait until there are two again and answers came, five times."""
    draw = random.Random(SEED)
    for _ in range(ROUNDS):
        await asyncio.sleep(draw.uniform(0.2, 0.8))
        victim = draw.choice(product.pids["api"])
        os.kill(victim, signal.SIGKILL)

        def back(dead: int = victim) -> bool:
            alive = product.pids.get("api", [])
            return len(alive) == 2 and dead not in alive and product.healthy()

        await asyncio.to_thread(wait_until, back, 120, lambda: product.output)
        enough = len(load.whole) + CLIENTS

        def more(least: int = enough) -> bool:
            return len(load.whole) > least

        await asyncio.to_thread(wait_until, more, 120, lambda: product.output)


@pytest.mark.slow
def test_kills_under_a_cap_book_each_answer_once_and_leave_nothing_held(limited: Product) -> None:
    load = Load(limited.base_url, limited.api_key)

    async def under_load() -> None:
        clients = [asyncio.create_task(load.client(number)) for number in range(CLIENTS)]
        try:
            await kill_rounds(limited, load)
        finally:
            load.running = False
            await asyncio.gather(*clients)

    asyncio.run(under_load())

    wait_until(lambda: quota(limited)["held"] == 0, HELD_S, lambda: str(quota(limited)))
    events = recorded(limited)
    times = Counter(correlation for correlation, _ in events)
    assert len(load.whole) > ROUNDS * CLIENTS
    assert [request for request in load.whole if times[request] == 0] == []
    assert [request for request, count in times.items() if count > 1] == []
    usages = [event.get("usage", {}) for _, event in events if event["attempts"]]
    total = sum(usage.get("input", 0) + usage.get("output", 0) for usage in usages)
    assert quota(limited)["used"] == total > 0
    with limited.client() as client:
        summary = client.get(f"{API}/usage/summary", params=SPAN).json()
    assert summary["total_tokens"] == total
    verified = limited.cli("audit", "verify")
    assert verified.returncode == 0, verified.stdout


@pytest.mark.slow
def test_without_the_database_capped_traffic_is_refused_with_503_and_flows_again_after(
    limited: Product,
) -> None:
    body = {"model": "fake/fake-large", "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": f"Bearer {limited.api_key}"}
    (postmaster,) = limited.pids["postgres"]
    events = len(recorded(limited))

    def ask() -> int:
        try:
            url = f"{limited.base_url}/v1/chat/completions"
            return httpx.post(url, json=body, headers=headers, timeout=20).status_code
        except httpx.TimeoutException:
            return 0

    with halted(postmaster):
        seen = [ask() for _ in range(6)]

    assert 503 in seen, seen
    assert set(seen) <= {0, 503}, seen
    wait_until(lambda: ask() == 200, 120, lambda: limited.output)
    found = recorded(limited)
    assert len({correlation for correlation, _ in found}) == len(found) > events


@contextlib.contextmanager
def halted(parent: int) -> Iterator[None]:
    """A process and its children stopped.

    The parent stops first and goes on last: while it stands still it reaps no child, so every process id
    listed stays one that can be signalled.
    """
    os.kill(parent, signal.SIGSTOP)
    children: list[int] = []
    try:
        children = children_of(parent)
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in (*children, parent):
            os.kill(pid, signal.SIGCONT)


def children_of(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    return [int(word) for word in listed.split()]
