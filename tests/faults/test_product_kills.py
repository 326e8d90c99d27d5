"""Every process of the product killed under load: nothing acknowledged is lost, nothing is counted twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.faults.upstream_process import upstream_process
from tests.product import Product, running_product, wait_until

SEED = 20_261_122
CLIENTS = 6
VICTIMS = ("postgres", "api", "worker", "valkey", "projector", "outbox", "scheduler")
SPAN = {"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
RECORDED = """
SELECT correlation, convert_from(data, 'UTF8')::json AS event FROM events
WHERE type = 'usage.request_recorded' AND tenant = 'default'
"""


@dataclass
class Load:
    """Clients that ask without a pause, and what they got."""

    base_url: str
    key: str
    whole: list[str] = field(default_factory=list)
    refused: int = 0
    running: bool = True

    async def client(self, number: int) -> None:
        """Ask until told to stop; an answer counts when it arrived whole."""
        headers = {"authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(base_url=self.base_url, headers=headers, timeout=60) as http:
            while self.running:
                try:
                    await self._ask(http, stream=number % 2 == 0)
                except httpx.ConnectError:
                    self.refused += 1
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)

    async def _ask(self, http: httpx.AsyncClient, *, stream: bool) -> None:
        body = {"model": "fake/fake-large", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        answer = await http.post("/v1/chat/completions", json=body)
        if answer.status_code != 200:
            await asyncio.sleep(0.05)
        elif answer.text.rstrip().endswith("data: [DONE]") if stream else "usage" in answer.json():
            self.whole.append(answer.headers["x-request-id"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running_product(tmp_path_factory.mktemp("kills") / "d") as product, upstream_process() as url:
        with product.client() as client:
            made = client.post(
                "/api/ai-advanced/providers",
                json={"name": "fake", "dialect": "openai", "base_url": f"{url}/v1", "api_key": "sk-fake"},
            )
            assert made.status_code in {200, 201}, made.text
        yield product


def pid_of(product: Product, name: str) -> int:
    wait_until(lambda: product.pids.get(name), told=lambda: product.output)
    return product.pids[name][0]


async def kill(product: Product, name: str) -> None:
    """Kill a process and return when another one does its work and the product says that it is well."""
    before = await asyncio.to_thread(pid_of, product, name)
    os.kill(before, signal.SIGKILL)

    def back() -> bool:
        return product.pids.get(name, [before]) != [before] and product.healthy()

    await asyncio.to_thread(wait_until, back, 120, lambda: product.output)


async def kill_one_after_the_other(product: Product, load: Load, draw: random.Random) -> None:
    victims = [*VICTIMS, *draw.sample(VICTIMS[:3], 2)]
    draw.shuffle(victims)
    for name in victims:
        await asyncio.sleep(draw.uniform(0.1, 0.8))
        await kill(product, name)
        answered = len(load.whole)
        for _ in range(2400):
            if len(load.whole) > answered + CLIENTS:
                break
            await asyncio.sleep(0.05)
        assert len(load.whole) > answered + CLIENTS, f"no answers after the kill of {name}: {product.output}"


def recorded(product: Product) -> list[tuple[str, Any]]:
    dsn = json.loads(product.cli("doctor", "--json").stdout)["database"]["admin_dsn"]
    with psycopg.connect(dsn) as conn:
        return conn.execute(RECORDED).fetchall()


def test_kills_under_load_lose_nothing_acknowledged_and_double_nothing(running: Product) -> None:
    load = Load(running.base_url, running.api_key)

    async def under_load() -> None:
        clients = [asyncio.create_task(load.client(number)) for number in range(CLIENTS)]
        try:
            await kill_one_after_the_other(running, load, random.Random(SEED))
        finally:
            load.running = False
            await asyncio.gather(*clients)

    asyncio.run(under_load())

    assert load.refused == 0
    assert len(set(load.whole)) == len(load.whole)
    events = recorded(running)
    times = Counter(correlation for correlation, _ in events)
    assert [request for request in load.whole if times[request] == 0] == []
    assert [request for request, count in times.items() if count > 1] == []
    report = running.cli("audit", "verify")
    assert report.returncode == 0, report.stdout
    with running.client() as client:
        summary = client.get("/api/ai-advanced/usage/summary", params=SPAN).json()
        exported = client.get("/api/ai-advanced/usage/events", params=SPAN).text.splitlines()
    assert {json.loads(line)["request_id"] for line in exported} == set(times)
    assert len(exported) == summary["requests"] == len(events)
    tokens = [event.get("usage", {}) for _, event in events]
    assert summary["input_tokens"] == sum(usage.get("input", 0) for usage in tokens)
    assert summary["output_tokens"] == sum(usage.get("output", 0) for usage in tokens) > 0


def test_a_killed_product_leaves_nothing_and_starts_again_with_everything(tmp_path: Path) -> None:
    with running_product(tmp_path / "d") as product:
        with product.client() as client:
            made = client.post("/api/ai-advanced/keys", json={"name": "kept", "roles": ["auditor"]})
            assert made.status_code == 201, made.text
        assert product.process is not None
        product.process.kill()
        product.process.wait()
        wait_until(lambda: not product.pids, 60)

        product.start()

        with product.client(made.json()["key"]) as client:
            assert client.get("/api/ai-advanced/usage/summary").status_code == 200
        assert product.cli("audit", "verify").returncode == 0
