"""Two API processes: what one has answered holds on the other at once.

Each process is asked alone, while the other one is frozen for the time of the question.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import httpx
import pytest

from tests.faults.upstream_process import upstream_process
from tests.product import Product, running_product, wait_until

T = TypeVar("T")
API = "/api/ai-advanced"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running_product(tmp_path_factory.mktemp("two") / "d", AIOS_WEB_WORKERS="2") as product:
        assert len(product.pids["api"]) == 2
        yield product


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def asked_alone(product: Product, ask: Callable[[], T]) -> list[T]:
    """Return what each API process answers while the others stand still."""
    pids = product.pids["api"]
    answers = []
    for alone in pids:
        with frozen([pid for pid in pids if pid != alone]):
            answers.append(ask())
    return answers


def status(product: Product, key: str) -> int:
    return httpx.get(
        f"{product.base_url}{API}/keys", headers={"authorization": f"Bearer {key}"}, timeout=60
    ).status_code


def test_a_key_works_on_both_when_made_and_is_refused_by_both_when_revoked(two: Product) -> None:
    for _ in range(3):
        with two.client() as client:
            made = client.post(f"{API}/keys", json={"name": "short", "roles": ["admin"]}).json()
            assert asked_alone(two, partial(status, two, made["key"])) == [200, 200]
            assert client.delete(f"{API}/keys/{made['key_id']}").status_code == 200
        assert asked_alone(two, partial(status, two, made["key"])) == [401, 401]


def test_a_provider_and_a_policy_set_on_one_work_on_both(two: Product) -> None:
    with upstream_process() as url, two.client() as client:
        provider = {"name": "both", "dialect": "openai", "base_url": f"{url}/v1", "api_key": "sk-fake"}
        assert client.post(f"{API}/providers", json=provider).status_code in {200, 201}
        rule = {"segment": "*", "provider": "both", "model": "fake-small"}
        made = client.post(f"{API}/model-policy/set", json={"workspace_id": "default", "rules": [rule]})
        assert made.status_code == 200, made.text

        def ask() -> tuple[int, str | None, str | None]:
            answer = httpx.post(
                f"{two.base_url}/v1/chat/completions",
                headers={"authorization": f"Bearer {two.api_key}"},
                json={"model": "auto", "messages": [{"role": "user", "content": "hi"}]},
                timeout=60,
            )
            return answer.status_code, answer.headers.get("x-aios-policy"), answer.headers.get("x-aios-model")

        policy = f"default@{made.json()['version']}"
        assert asked_alone(two, ask) == [(200, policy, "fake-small")] * 2


def test_the_other_one_carries_on_when_one_is_killed(two: Product) -> None:
    killed = two.pids["api"][0]
    os.kill(killed, signal.SIGKILL)
    for number in range(5):
        with two.client() as client:
            made = client.post(f"{API}/keys", json={"name": f"after {number}", "roles": ["service"]})
        assert made.status_code == 201, made.text
    wait_until(lambda: len(two.pids["api"]) == 2 and killed not in two.pids["api"] and two.healthy(), 120)
