"""A process that carries out a purge dies at any step: the next one ends in the same certificate."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.runtime import Endpoints
from infrastructure.settings import Settings
from tests.erasing import erasure_desk, until_done
from tests.interfaces.http import conftest as http
from tests.interfaces.http.product import ADMIN_KEY, Product, running_product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
backing = http.backing
ROOT = Path(__file__).parents[2]
STEPS = [
    "scope",
    "keep",
    "destroy",
    "erase.idempotent_answers",
    "erase.memories",
    "rewrite.memories",
    "rewrite.write_ahead_log",
    "verify",
    "certify",
]
WHEN = [f"{step}:{moment}" for step in STEPS for moment in ("before", "amid", "unrecorded")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(backing: tuple[PostgresEndpoint, str, Path]) -> AsyncIterator[Product]:
    """The product without anybody who carries out purges."""
    async with running_product(*backing, erasing=False) as running:
        yield running


@pytest.mark.parametrize("when", WHEN)
async def test_a_killed_purge_ends_in_the_same_certificate(product: Product, when: str) -> None:
    tenant = await product.tenant()
    made = [await add(tenant, f"Secret {n}", f"2025-06-{day:02d}") for n, day in enumerate((2, 5, 25))]
    body = {"reason": "r", "before_date": "2025-06-10"}
    purge_id = await asked_for(tenant, body)
    # when the first process dies, and a second one goes on
    dying = await asyncio.to_thread(run_eraser, product, tenant.name, purge_id, when)
    assert dying.returncode == -signal.SIGKILL, dying.stderr.decode()
    async with erasure_desk(product.api.settings, product.api.runtime.where) as (desk, _):
        done = await until_done(desk, tenant.name, purge_id)
    # then
    assert done.completed is not None
    certificate = done.completed.certificate
    assert stable(certificate) == EXPECTED
    assert [await status(tenant, each) for each in made] == [404, 404, 200]
    again = await tenant.call("GET", f"/memory/purges/{purge_id}/certificate")
    assert again.json() == certificate


EXPECTED = {
    "memories": (2, 2, 0),
    "vectors": (2, 2, 0),
    "requests": (0, 0, 0),
    "pseudonyms": (0, 0, 0),
    "idempotent_answers": (1, 1, 0),
    "queue": (0, 0, 0),
    "write_ahead_log": (0, 0, 0),
    "rekeyed": {"memories": 1},
    "keys": (1, 1, 0),
}


def stable(certificate: Any) -> dict[str, Any]:
    """What a certificate says but for times, ids and places of the log."""
    stores = {name: (s["found"], s["destroyed"], s["left"]) for name, s in certificate["stores"].items()}
    keys = certificate["keys"]
    return {
        **stores,
        "rekeyed": certificate["rekeyed"],
        "keys": (keys["destroyed"], keys["attempts_to_open"], keys["opened"]),
    }


async def add(tenant: Any, content: str, day: str) -> dict[str, Any]:
    body = {"content": content, "category": "support", "subject_id": "kim", "occurred_at": f"{day}T12:00:00Z"}
    headers = {"idempotency-key": "first"} if day.endswith("02") else {}
    answer = await tenant.call("POST", "/memory", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def asked_for(tenant: Any, body: dict[str, Any]) -> str:
    """Ask for a purge, and do not wait for it: nobody carries it out."""
    asking = asyncio.create_task(tenant.call("DELETE", "/memory/purge", json=body))
    while True:
        purges = (await tenant.call("GET", "/memory/purges")).json()["items"]
        if purges:
            asking.cancel()
            return str(purges[0]["purge_id"])
        await asyncio.sleep(0.05)


async def status(tenant: Any, made: dict[str, Any]) -> int:
    return int((await tenant.call("GET", f"/memory/{made['id']}")).status_code)


def run_eraser(product: Product, tenant: str, purge_id: str, when: str) -> subprocess.CompletedProcess[bytes]:
    """Carry out a purge in a process of its own, which kills itself at a step."""
    where = product.api.runtime.where
    config = {
        "where": msgspec.structs.asdict(where),
        "data_dir": str(product.api.settings.data_dir),
        "tenant": tenant,
        "purge_id": purge_id,
        "when": when,
    }
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.test_purge_kills"],
        input=msgspec.json.encode(config),
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=False,
    )


async def _erase_and_die(config: dict[str, Any]) -> None:
    """Die before a step (`before`), 20 ms after it began (`amid`), or when it is done (`unrecorded`)."""
    settings = Settings(data_dir=Path(config["data_dir"]), admin_key=ADMIN_KEY)
    step, _, moment = config["when"].partition(":")

    async def reached(name: str) -> None:
        if (name, moment) in {(step, "before"), (f"{step}.record", "unrecorded")}:
            os.kill(os.getpid(), signal.SIGKILL)
        if (name, moment) == (step, "amid"):
            signal.setitimer(signal.ITIMER_REAL, 0.02)

    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    async with erasure_desk(settings, Endpoints(**config["where"]), reached=reached) as (desk, _):
        await until_done(desk, config["tenant"], config["purge_id"])
    os.kill(os.getpid(), signal.SIGKILL)  # the last step was quicker than the alarm


if __name__ == "__main__":
    asyncio.run(_erase_and_die(msgspec.json.decode(sys.stdin.buffer.read())))
