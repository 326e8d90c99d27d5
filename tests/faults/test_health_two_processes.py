"""Health in two API processes with a real Valkey: one judgement, one probe at a time, and recovery.

Each process is asked alone, while the other one is frozen for the time of the question.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.faults.test_product_two_processes import asked_alone, frozen
from tests.faults.upstream_process import upstream_process
from tests.product import Product, running_product, wait_until

API = "/api/ai-advanced"
CHAT = "/v1/chat/completions"
STEADY = "up/steady"
PATIENCE_S = 120.0


class Two:
    """The product with two API processes, and a provider in a process of its own."""

    def __init__(self, product: Product, upstream: str) -> None:
        self.product = product
        self.upstream = upstream

    def govern(self, model: str) -> None:
        """Send everything to a model, and to the steady one when that fails."""
        rule = {"segment": "*", "provider": "up", "model": model, "fallback": [STEADY]}
        with self.product.client() as client:
            made = client.post(f"{API}/model-policy/set", json={"workspace_id": "default", "rules": [rule]})
        assert made.status_code == 200, made.text

    def script(self, model: str, *behaviours: str) -> None:
        """Say how the provider answers the next requests for a model."""
        httpx.post(f"{self.upstream}/_fake/script", json={"behaviours": behaviours, "model": model})

    def asked(self, model: str) -> list[dict[str, Any]]:
        """Return what the provider was asked for a model."""
        found = httpx.get(f"{self.upstream}/_fake/requests").json()
        return [request for request in found if request["json"].get("model") == model]

    def ask(self, **headers: str) -> httpx.Response:
        """Send one request on a connection of its own, to whichever process takes it."""
        return httpx.post(
            self.product.base_url + CHAT,
            headers={"authorization": f"Bearer {self.product.api_key}", **headers},
            json={"model": "auto", "messages": [{"role": "user", "content": "hello"}]},
            timeout=60,
        )

    def targets(self) -> list[list[str]]:
        """Return what each process alone would try now."""

        def dry() -> list[str]:
            found: list[str] = self.ask(**{"x-aios-dry-run": "1"}).json()["decision"]["targets"]
            return found

        return asked_alone(self.product, dry)

    def statuses(self, model: str) -> list[str]:
        """Return what each process alone says of the health of a model."""

        def status() -> str:
            with self.product.client() as client:
                items = client.get(f"{API}/model-health").json()["items"]
            return next((str(each["status"]) for each in items if each["model"] == model), "")

        return asked_alone(self.product, status)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("health") / "d"
    with upstream_process() as url, running_product(folder, AIOS_WEB_WORKERS="2") as product:
        with product.client() as client:
            provider = {"name": "up", "dialect": "openai", "base_url": f"{url}/v1", "api_key": "sk-fake"}
            assert client.post(f"{API}/providers", json=provider).status_code == 201
        yield Two(product, url)


def test_what_one_process_met_both_know_and_one_of_them_probes(two: Two) -> None:
    # given a target that failed five times at one process, while the other one was frozen
    two.govern("flaky")
    two.script("flaky", *["500"] * 5)
    with frozen(two.product.pids["api"][1:]):
        for _ in range(5):
            assert two.ask().headers["x-aios-fallback-reason"] == "status_500"
    # then both leave it out, before long
    wait_until(
        lambda: two.targets() == [[STEADY]] * 2 or two.statuses("flaky") == ["healthy"] * 2, PATIENCE_S
    )
    assert len(two.asked("flaky")) >= 5
    # when many ask both processes at once, and the first probe takes its time
    two.script("flaky", "slow-headers=4")
    before = len(two.asked("flaky"))
    with ThreadPoolExecutor(8) as pool:
        give_up = time.monotonic() + PATIENCE_S
        while len(two.asked("flaky")) == before and time.monotonic() < give_up:
            list(pool.map(lambda _: two.ask().raise_for_status(), range(8)))
        during = list(pool.map(lambda _: two.ask().headers["x-aios-provider"], range(24)))
    # then exactly one request goes there as long as the probe is under way
    probes = two.asked("flaky")[before:]
    if not probes[0]["answered"]:
        assert len(probes) == 1
    assert set(during) == {"up"}

    # and after three good answers both send everything there again
    def recovered() -> bool:
        two.ask().raise_for_status()
        return two.targets() == [["up/flaky", STEADY]] * 2

    wait_until(recovered, PATIENCE_S)
    wait_until(lambda: two.statuses("flaky") == ["healthy"] * 2, PATIENCE_S)


def test_a_throttled_target_rests_in_both_and_returns_after_its_time(two: Two) -> None:
    two.govern("busy")
    two.script("busy", "429=3")
    began = time.monotonic()
    with frozen(two.product.pids["api"][1:]):
        assert two.ask().headers["x-aios-fallback-reason"] == "status_429"
    seen: list[list[list[str]]] = []

    def returned() -> bool:
        seen.append(two.targets())
        return seen[-1] == [["up/busy", STEADY]] * 2

    wait_until(returned, PATIENCE_S)
    assert time.monotonic() - began >= 2.9
    assert [[STEADY]] * 2 in seen or time.monotonic() - began > 3.5
    assert two.ask().headers["x-aios-model"] == "busy"
