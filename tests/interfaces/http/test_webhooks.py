"""Webhooks on the real product: endpoints come with a secret that is shown once, and go."""

from __future__ import annotations

import pytest

from domain.usage.events import SoftCapReached
from domain.webhooks.events import WebhookRemoved
from infrastructure.jobs.credentials import ROUTES as CREDENTIALS

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/webhooks"
HOOK = {"url": "https://example.com/hooks?team=1", "events": ["usage.soft_cap_reached"]}


async def test_a_webhook_is_created_listed_and_removed_and_its_secret_is_shown_once(product):
    tenant = await product.tenant()

    made = await tenant.call("POST", PATH, json={**HOOK, "description": "alerts"})
    listed = (await tenant.call("GET", PATH)).json()["items"]
    log = await tenant.call("GET", "/audit/events", params={"limit": 500})
    sent = await tenant.call("GET", f"{PATH}/{made.json()['webhook_id']}/deliveries")
    gone = await tenant.call("DELETE", f"{PATH}/{made.json()['webhook_id']}")

    assert made.status_code == 201, made.text
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    assert [(each["url"], each["events"], each["description"]) for each in listed] == [
        (HOOK["url"], HOOK["events"], "alerts")
    ]
    assert "secret" not in listed[0]
    assert secret not in log.text
    assert sent.json() == {"items": [], "next_cursor": None}
    assert (gone.status_code, (await tenant.call("GET", PATH)).json()["items"]) == (200, [])
    removed = [
        each async for each in product.api.runtime.log.read(types=[WebhookRemoved.TYPE], tenant=tenant.name)
    ]
    assert list(CREDENTIALS[WebhookRemoved.TYPE](removed[0])) == ["destroy-credentials"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"url": "ftp://example.com"}, "/url"),
        ({"url": "not a url"}, "/url"),
        ({"url": "http://user:pass@example.com/"}, "/url"),
        ({"url": "http://169.254.169.254/latest"}, "/url"),
        ({"url": "http://metadata.google.internal/"}, "/url"),
        ({"url": "https://example.com/#part"}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["usage.nope"]}, "/events/0"),
        ({"secret": "mine"}, "/secret"),
    ],
)
async def test_bad_webhooks_are_refused_by_name(product, change, pointer):
    tenant = await product.tenant()

    refused = await tenant.call("POST", PATH, json={**HOOK, **change})

    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert (await tenant.call("GET", PATH)).json()["items"] == []


async def test_a_webhook_belongs_to_its_tenant_and_to_administrators(product):
    tenant, other = await product.tenant(), await product.tenant()
    made = (await tenant.call("POST", PATH, json=HOOK)).json()["webhook_id"]
    operator = await tenant.key("operator")

    assert (await other.call("DELETE", f"{PATH}/{made}")).status_code == 404
    assert (await other.call("GET", f"{PATH}/{made}/deliveries")).status_code == 404
    assert (await product.call(operator, "POST", PATH, json=HOOK)).status_code == 403
    assert SoftCapReached.TYPE in HOOK["events"]


async def test_the_same_idempotency_key_makes_one_webhook_and_shows_the_same_secret(product):
    tenant = await product.tenant()
    headers = {"idempotency-key": "one"}

    first = await tenant.call("POST", PATH, json=HOOK, headers=headers)
    again = await tenant.call("POST", PATH, json=HOOK, headers=headers)

    assert first.json() == again.json()
    assert len((await tenant.call("GET", PATH)).json()["items"]) == 1
