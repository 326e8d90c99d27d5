"""Purges on a product with hosted Mem0 and a second person for every purge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from application.memory.hosted import mirror
from infrastructure.erasure.signing import check
from infrastructure.memory.mem0 import HostedMem0, user_of
from tests.fakes.mem0_server import KEY, Mem0Server, running_mem0
from tests.interfaces.http.conftest import Backing
from tests.interfaces.http.product import Product, Tenant, running_product
from tests.waiting import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def mem0() -> Iterator[Mem0Server]:
    with running_mem0() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(backing: Backing, mem0: Mem0Server) -> AsyncIterator[Product]:
    options: dict[str, Any] = {"mem0_hosted": True, "mem0_api_key": KEY, "mem0_base_url": mem0.url}
    async with running_product(*backing, purge_approval="required", **options) as running:
        yield running


@pytest.fixture(autouse=True)
def healthy(mem0: Mem0Server) -> Iterator[None]:
    yield
    mem0.failing, mem0.failing_methods = False, set()


async def remembered(tenant: Tenant, mem0: Mem0Server, subject: str, content: str, tmp_path: Any) -> str:
    """Add a memory, and copy it as the job that its event asks for does."""
    body = {"content": content, "subject_id": subject}
    answer = await tenant.call("POST", "/memory", json=body)
    assert answer.status_code == 201, answer.text
    memory_id = str(answer.json()["id"])
    runtime = tenant.product.api.runtime
    reference = runtime.keyring.subject_reference(tenant.name, subject)
    hosted = HostedMem0(KEY, tmp_path / "mem0", mem0.url)
    await mirror(runtime.log, hosted, tenant.name, memory_id, reference)
    return memory_id


async def asked(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    answer = await tenant.call("DELETE", "/memory/purge", json={"reason": "request", **fields})
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    assert made["status"] == "awaiting_approval"
    return made


async def state(tenant: Tenant, purge_id: str) -> tuple[str, int]:
    """Return a purge's status, and the status with which its certificate is answered."""
    view = (await tenant.call("GET", f"/memory/purges/{purge_id}")).json()
    certificate = await tenant.call("GET", f"/memory/purges/{purge_id}/certificate")
    return view["status"], certificate.status_code


async def copies(tenant: Tenant, mem0: Mem0Server, subject: str) -> list[str]:
    reference = tenant.product.api.runtime.keyring.subject_reference(tenant.name, subject)
    user = user_of(tenant.name, reference)
    return [memory["memory"] for memory in mem0.memories.values() if memory["user_id"] == user]


async def test_copies_at_the_hosted_service_are_found_destroyed_and_looked_for_again(product, mem0, tmp_path):
    tenant = await product.tenant()
    for number in range(2):
        await remembered(tenant, mem0, "anna", f"Anna likes tea {number}", tmp_path)
    await remembered(tenant, mem0, "ben", "Ben likes coffee", tmp_path)
    assert len(await copies(tenant, mem0, "anna")) == 2
    # when
    purge = await asked(tenant, subject_id="anna")
    second = await tenant.key("admin")
    done = await product.call(second, "POST", f"/memory/purges/{purge['purge_id']}/approve")
    # then
    assert (done.status_code, done.json()["status"]) == (200, "completed")
    assert done.json()["erased"]["hosted_mem0"] == 2
    answer = await tenant.call("GET", f"/memory/purges/{purge['purge_id']}/certificate")
    store = answer.json()["stores"]["hosted_mem0"]
    assert (store["found"], store["destroyed"], store["left"], store["verified"]) == (2, 2, 0, True)
    assert check(answer.content).ok
    assert await copies(tenant, mem0, "anna") == []
    assert await copies(tenant, mem0, "ben") == ["Ben likes coffee"]


@pytest.mark.parametrize("broken", [{"POST", "DELETE"}, {"DELETE"}])
async def test_while_the_hosted_service_fails_there_is_no_certificate(product, mem0, tmp_path, broken):
    """First nothing can be found there, then nothing removed: either way the purge waits and tries again."""
    tenant = await product.tenant()
    memory_id = await remembered(tenant, mem0, "cara", "Cara likes cake", tmp_path)
    purge = (await asked(tenant, subject_id="cara"))["purge_id"]
    second = await tenant.key("admin")
    mem0.failing_methods, before = broken, len(mem0.requests)
    # when
    approving = asyncio.create_task(product.call(second, "POST", f"/memory/purges/{purge}/approve"))

    async def refused_twice() -> bool:
        return sum(method in broken for method, _ in mem0.requests[before:]) >= 2

    await until(refused_twice, "the hosted service is tried again", 15.0)
    # then
    assert await state(tenant, purge) == ("running", 404)
    assert (await tenant.call("GET", f"/memory/{memory_id}")).status_code == 404
    assert await copies(tenant, mem0, "cara") == ["Cara likes cake"]
    # and when it is well again
    mem0.failing_methods = set()
    done = await approving
    assert (done.status_code, done.json()["status"]) == (200, "completed")
    certificate = (await tenant.call("GET", f"/memory/purges/{purge}/certificate")).json()
    store = certificate["stores"]["hosted_mem0"]
    assert (store["found"], store["destroyed"], store["verified"]) == (1, 1, True)
    assert await copies(tenant, mem0, "cara") == []


async def test_every_purge_waits_for_a_second_person_and_names_both(product, mem0, tmp_path):
    tenant = await product.tenant()
    memory_id = await remembered(tenant, mem0, "dora", "Wait", tmp_path)
    asker = await tenant.key("operator")
    answer = await product.call(
        asker, "DELETE", "/memory/purge", json={"reason": "request", "subject_id": "dora"}
    )
    purge = answer.json()["purge_id"]
    assert (answer.status_code, answer.json()["status"]) == (202, "awaiting_approval")
    assert await state(tenant, purge) == ("awaiting_approval", 404)
    assert (await tenant.call("GET", f"/memory/{memory_id}")).status_code == 200
    assert (await product.call(asker, "POST", f"/memory/purges/{purge}/approve")).status_code == 403

    done = await tenant.call("POST", f"/memory/purges/{purge}/approve")

    assert (done.status_code, done.json()["status"]) == (200, "completed")
    certificate = (await tenant.call("GET", f"/memory/purges/{purge}/certificate")).json()
    keys = {key["key_id"]: key for key in (await tenant.call("GET", "/keys")).json()["items"]}
    asked_by, approved_by = (
        certificate[name].removeprefix("key/") for name in ("requested_by", "approved_by")
    )
    assert (keys[asked_by]["roles"], keys[approved_by]["roles"]) == (["operator"], ["admin"])
    assert asked_by != approved_by
    assert certificate["requested_at"] <= certificate["approved_at"] <= certificate["completed_at"]


async def test_who_asked_cannot_approve_and_nothing_is_erased(product, mem0, tmp_path):
    tenant = await product.tenant()
    memory_id = await remembered(tenant, mem0, "emil", "Stays", tmp_path)
    purge = (await asked(tenant, subject_id="emil", require_approval=False))["purge_id"]
    refused = await tenant.call("POST", f"/memory/purges/{purge}/approve")
    assert refused.status_code == 403
    assert "another key" in refused.json()["detail"]
    assert await state(tenant, purge) == ("awaiting_approval", 404)
    assert (await tenant.call("GET", f"/memory/{memory_id}")).status_code == 200
    for role in ("operator", "auditor", "service"):
        key = await tenant.key(role)
        assert (await product.call(key, "POST", f"/memory/purges/{purge}/approve")).status_code == 403
    stranger = await product.tenant()
    assert (await stranger.call("POST", f"/memory/purges/{purge}/approve")).status_code == 404


async def test_a_rejected_purge_never_begins(product, mem0, tmp_path):
    tenant = await product.tenant()
    memory_id = await remembered(tenant, mem0, "fred", "Stays", tmp_path)
    purge = (await asked(tenant, subject_id="fred"))["purge_id"]
    second = await tenant.key("admin")

    rejected = await product.call(second, "POST", f"/memory/purges/{purge}/reject")

    assert (rejected.status_code, rejected.json()["status"]) == (200, "rejected")
    view = (await tenant.call("GET", f"/memory/purges/{purge}")).json()
    assert view["rejected_by"] not in {None, view["requested_by"]}
    assert (await product.call(second, "POST", f"/memory/purges/{purge}/approve")).status_code == 409
    assert await state(tenant, purge) == ("rejected", 404)
    assert (await tenant.call("GET", f"/memory/{memory_id}")).status_code == 200
    mine = (await asked(tenant, subject_id="fred"))["purge_id"]
    assert (await tenant.call("POST", f"/memory/purges/{mine}/reject")).json()["status"] == "rejected"
    log = (await tenant.call("GET", "/memory/audit-logs", params={"action": "reject"})).json()["items"]
    assert {line["target"] for line in log} == {purge, mine}


async def test_a_dry_run_needs_nobody(product, mem0, tmp_path):
    tenant = await product.tenant()
    await remembered(tenant, mem0, "gina", "Still here", tmp_path)
    body = {"reason": "request", "subject_id": "gina", "dry_run": True}
    answer = await tenant.call("DELETE", "/memory/purge", json=body)
    assert (answer.status_code, answer.json()["status"]) == (200, "dry_run")
    assert (answer.json()["erased"]["memories"], answer.json()["erased"]["hosted_mem0"]) == (1, 1)
    assert await copies(tenant, mem0, "gina") == ["Still here"]
