"""The log on the real product: complete, in order, and silent about what nobody may see."""

from __future__ import annotations

import pytest

from domain.kernel.events import UnknownEvent
from domain.kernel.personal import Erased
from domain.kernel.request_record import RequestRecorded
from domain.orchestration.events import ProviderRegistered
from domain.tenancy.events import ApiKeyCreated
from interfaces.http.visible import visible_data
from tests.interfaces.http.fakes import NOW
from tests.interfaces.http.test_usage import record, store

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_log_tells_who_did_what_in_order(product):
    tenant = await product.tenant()
    await tenant.call("POST", "/model-policy/set", json={"rules": []}, headers={"x-request-id": "trace-7"})

    items = (await tenant.call("GET", "/audit/events")).json()["items"]

    assert [item["position"] for item in items] == sorted(item["position"] for item in items)
    assert items[0]["type"] == "tenancy.tenant_created"
    last = items[-1]
    assert (last["type"], last["correlation"]) == ("orchestration.model_policy_set", "trace-7")
    assert last["actor"].startswith("key/")
    assert last["stream_id"] == f"{tenant.name}/model-policy/default"
    assert last["data"]["workspace_id"] == "default"


async def test_no_event_shows_a_key_or_its_hash(product):
    tenant = await product.tenant()
    made = (await tenant.call("POST", "/keys", json={"name": "ci", "roles": ["service"]})).json()

    shown = (await tenant.call("GET", "/audit/events", params={"reveal": "true"})).json()["items"]

    created = [item["data"] for item in shown if item["type"] == "tenancy.api_key_created"]
    assert created[-1]["key_id"] == made["key_id"]
    assert created[-1]["key_hash"] == {"sealed": True}
    assert made["key"] not in str(shown)


async def test_personal_fields_are_sealed_unless_asked_for(product):
    tenant = await product.tenant()
    await store(product, tenant, record(1, NOW, user="Ann"))
    wanted = {"type": "usage.request_recorded"}

    (sealed,) = (await tenant.call("GET", "/audit/events", params=wanted)).json()["items"]
    (shown,) = (await tenant.call("GET", "/audit/events", params={**wanted, "reveal": "true"})).json()[
        "items"
    ]

    assert (sealed["data"]["user"], sealed["data"]["prompt"]) == ({"sealed": True}, None)
    assert shown["data"]["user"] == "Ann"
    assert sealed["data"]["usage"] == {"input": 1, "output": 2, "cached_input": 0}


async def test_pages_go_either_way_and_filters_hold_over_them(product):
    tenant = await product.tenant()
    for _ in range(3):
        await tenant.call("POST", "/model-policy/set", json={"rules": []})

    async def versions(**params: str) -> list[int]:
        found, cursor = [], None
        while True:
            more: dict[str, str] = {"cursor": cursor} if cursor else {}
            page = await tenant.call("GET", "/audit/events", params={"limit": "2", **params, **more})
            found += [item["data"]["version"] for item in page.json()["items"]]
            cursor = page.json()["next_cursor"]
            if cursor is None:
                return found

    policies = {"type": "orchestration.model_policy_set"}
    assert await versions(**policies) == [1, 2, 3]
    assert await versions(**policies, order="desc") == [3, 2, 1]
    assert await versions(stream="model-policy/default") == [1, 2, 3]
    assert await versions(stream=f"{tenant.name}/model-policy/*") == [1, 2, 3]
    assert await versions(**policies, **{"from": "2020-01-01", "to": "2021-01-01"}) == []
    assert await versions(**policies, actor="key/nobody") == []


async def test_other_tenants_events_cannot_be_named(product):
    one, other = await product.tenant(), await product.tenant()
    await one.call("POST", "/model-policy/set", json={"rules": []})

    answer = await other.call("GET", "/audit/events", params={"stream": f"{one.name}/model-policy/default"})

    assert answer.json()["items"] == []


async def test_a_key_of_a_workspace_does_not_read_the_whole_log(product):
    tenant = await product.tenant()
    key = await tenant.key("auditor", workspace_id="sales")

    assert (await product.call(key, "GET", "/audit/events")).status_code == 403


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"order": "up"}, "/order"),
        ({"after": "-1"}, "/after"),
        ({"after": str(2**63)}, "/after"),
        ({"reveal": "maybe"}, "/reveal"),
        ({"from": "x"}, "/from"),
        ({"cursor": "x"}, "/cursor"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_unusable_filters_are_refused_by_name(product, params, pointer):
    tenant = await product.tenant()

    answer = await tenant.call("GET", "/audit/events", params=params)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_credentials_stay_sealed_and_erased_fields_say_so():
    provider = ProviderRegistered(
        name="p",
        revision=1,
        registered_at=NOW,
        dialect="openai",
        base_url="http://x",
        credential_id="c",
        api_key="secret",
        headers=(("x", "secret"),),
    )
    key = ApiKeyCreated(
        key_id="k", key_hash="deadbeef", prefix="aios_k", name="n", roles=("admin",), created_at=NOW
    )
    request: RequestRecorded = record(1, NOW, user=Erased("kid"), prompt="hello")

    assert "secret" not in str(visible_data(provider, reveal=True))
    assert visible_data(provider, reveal=True)["credential_id"] == "c"
    assert "deadbeef" not in str(visible_data(key, reveal=True))
    assert visible_data(request, reveal=True)["user"] == {"erased": True}
    assert visible_data(request, reveal=False)["prompt"] == {"sealed": True}
    assert visible_data(UnknownEvent(problem="unknown type 'x'"), reveal=True) == {
        "unknown": "unknown type 'x'"
    }
