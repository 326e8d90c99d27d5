"""Each route lets in exactly the roles it declares: every route, every role, and no key at all."""

from __future__ import annotations

import pytest
from litestar.testing import TestClient

from interfaces.http.app import PREFIX, create_app
from tests.interfaces.http.fakes import ROLES, World

# The contract's roles. A new route adds its line here.
EXPECTED = {
    ("GET", "/session"): {"platform", "admin", "operator", "auditor", "service"},
    ("POST", "/tenants"): {"platform"},
    ("GET", "/tenants"): {"platform"},
    ("POST", "/keys"): {"admin", "platform"},
    ("GET", "/keys"): {"admin", "auditor", "platform"},
    ("DELETE", "/keys/{key_id}"): {"admin", "platform"},
    ("POST", "/model-policy/set"): {"admin", "operator"},
    ("GET", "/model-policy"): {"admin", "operator", "auditor"},
    ("GET", "/model-policy/history"): {"admin", "operator", "auditor"},
    ("POST", "/model-policy/simulate"): {"admin", "operator", "auditor"},
    ("GET", "/experiments"): {"admin", "operator", "auditor", "service"},
    ("POST", "/feedback"): {"admin", "operator", "service"},
    ("POST", "/pii/detect"): {"admin", "operator", "service"},
    ("POST", "/pii/scrub"): {"admin", "operator", "service"},
    ("POST", "/pii/reveal"): {"admin"},
    ("GET", "/providers"): {"admin", "operator", "auditor"},
    ("POST", "/providers/{name}/test"): {"admin", "operator"},
    ("POST", "/providers"): {"admin", "operator"},
    ("DELETE", "/providers/{name}"): {"admin", "operator"},
    ("GET", "/model-health"): {"admin", "operator", "auditor", "service"},
    ("GET", "/usage/summary"): {"admin", "operator", "auditor", "service"},
    ("GET", "/usage/breakdown"): {"admin", "operator", "auditor", "service"},
    ("GET", "/usage/events"): {"admin", "operator", "auditor", "service"},
    ("GET", "/usage/quota"): {"admin", "operator", "auditor", "service"},
    ("PUT", "/usage/quota"): {"admin", "operator"},
    ("POST", "/billing/plans"): {"platform"},
    ("GET", "/billing/plans"): {"admin", "operator", "auditor", "platform"},
    ("POST", "/billing/subscription"): {"admin", "platform"},
    ("GET", "/billing/subscription"): {"admin", "operator", "auditor", "platform"},
    ("DELETE", "/billing/subscription"): {"admin", "platform"},
    ("POST", "/billing/credits"): {"platform"},
    ("GET", "/billing/credits"): {"admin", "operator", "auditor", "platform"},
    ("GET", "/billing/preview"): {"admin", "operator", "auditor", "platform"},
    ("GET", "/billing/invoices"): {"admin", "operator", "auditor", "platform"},
    ("GET", "/billing/invoices/{invoice_id}"): {"admin", "operator", "auditor", "platform"},
    ("GET", "/billing/reconciliation"): {"admin", "operator", "auditor", "platform"},
    ("PUT", "/usage/prices"): {"admin"},
    ("DELETE", "/usage/prices"): {"admin"},
    ("GET", "/usage/prices"): {"admin", "operator", "auditor", "service"},
    ("GET", "/usage/prices/history"): {"admin", "operator", "auditor", "service"},
    ("GET", "/usage/prices/effective"): {"admin", "operator", "auditor", "service"},
    ("GET", "/usage/prices/editions"): {"admin", "operator", "auditor", "service"},
    ("POST", "/usage/corrections"): {"admin"},
    ("GET", "/usage/corrections"): {"admin", "operator", "auditor", "service"},
    ("GET", "/usage/notices"): {"admin", "operator", "auditor"},
    ("GET", "/requests"): {"admin", "operator", "auditor", "service"},
    ("GET", "/requests/{request_id}"): {"admin", "operator", "auditor", "service"},
    ("POST", "/webhooks"): {"admin"},
    ("GET", "/webhooks"): {"admin", "auditor"},
    ("DELETE", "/webhooks/{webhook_id}"): {"admin"},
    ("GET", "/webhooks/{webhook_id}/deliveries"): {"admin", "auditor"},
    ("GET", "/workflows"): {"admin", "operator", "auditor"},
    ("PATCH", "/workflows/{name}"): {"admin", "operator"},
    ("POST", "/workflows/{name}/run"): {"admin", "operator"},
    ("GET", "/workflows/runs"): {"admin", "operator", "auditor"},
    ("POST", "/memory"): {"admin", "operator", "service"},
    ("POST", "/memory/batch"): {"admin", "operator", "service"},
    ("POST", "/memory/search"): {"admin", "operator", "auditor", "service"},
    ("GET", "/memory"): {"admin", "operator", "auditor", "service"},
    ("GET", "/memory/{memory_id}"): {"admin", "operator", "auditor", "service"},
    ("PATCH", "/memory/{memory_id}"): {"admin", "operator", "service"},
    ("DELETE", "/memory/{memory_id}"): {"admin", "operator", "service"},
    ("POST", "/memory/policy"): {"admin", "operator"},
    ("GET", "/memory/policy"): {"admin", "operator", "auditor", "service"},
    ("GET", "/analytics/vector-search"): {"admin", "operator", "auditor", "service"},
    ("DELETE", "/memory/purge"): {"admin", "operator"},
    ("POST", "/memory/purges/{purge_id}/approve"): {"admin"},
    ("POST", "/memory/purges/{purge_id}/reject"): {"admin"},
    ("GET", "/memory/purges"): {"admin", "operator", "auditor"},
    ("GET", "/memory/purges/{purge_id}"): {"admin", "operator", "auditor"},
    ("GET", "/memory/purges/{purge_id}/certificate"): {"admin", "operator", "auditor"},
    ("POST", "/memory/holds"): {"admin", "operator"},
    ("DELETE", "/memory/holds/{hold_id}"): {"admin", "operator"},
    ("GET", "/memory/holds"): {"admin", "operator", "auditor"},
    ("GET", "/memory/audit-logs"): {"admin", "operator", "auditor"},
    ("POST", "/memory/export"): {"admin", "operator", "auditor"},
    ("GET", "/audit/keys"): {"admin", "operator", "auditor"},
    ("GET", "/audit/events"): {"admin", "auditor"},
    ("POST", "/v1/chat/completions"): {"admin", "operator", "service"},
    ("POST", "/v1/embeddings"): {"admin", "operator", "service"},
    ("POST", "/v1/messages"): {"admin", "operator", "service"},
    ("POST", "/v1/messages/count_tokens"): {"admin", "operator", "service"},
    ("GET", "/v1/models"): {"admin", "operator", "service"},
}
PUBLIC = {("POST", "/session"), ("DELETE", "/session"), ("POST", "/billing/stripe/webhook")}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return create_app(World(dist=tmp_path_factory.mktemp("dist")).services())


@pytest.fixture(scope="module")
def open_client(app):
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def full(path: str) -> str:
    return path if path.startswith("/v1/") else PREFIX + path


def ask(client, method: str, path: str, role: str | None):
    headers = {} if role is None else {"x-api-key": f"key-{role}"}
    body = None if method == "GET" else b"{}"
    ids = ("key_id", "name", "request_id", "memory_id", "purge_id", "hold_id", "invoice_id", "webhook_id")
    concrete = full(path).format(**dict.fromkeys(ids, "x"))
    if body is not None:
        headers["content-type"] = "application/json"
    return client.request(method, concrete, headers=headers, content=body)


def test_the_table_names_every_route(app):
    served = {
        (method, route.path_format.removeprefix(PREFIX))
        for route in app.routes
        for method in getattr(route, "route_handler_map", {})
        if method != "OPTIONS" and route.path_format.startswith((PREFIX, "/v1/"))
    }

    assert served == set(EXPECTED) | PUBLIC


@pytest.mark.parametrize(("method", "path"), sorted(EXPECTED))
def test_without_a_key_every_route_answers_401(open_client, method, path):
    assert ask(open_client, method, path, None).status_code == 401


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path"), sorted(EXPECTED))
def test_a_role_gets_in_where_it_belongs_and_nowhere_else(open_client, method, path, role):
    status = ask(open_client, method, path, role).status_code

    if role in EXPECTED[method, path]:
        assert status not in {401, 403}
    else:
        assert status == 403


def test_auditors_change_nothing():
    writes = {key for key, roles in EXPECTED.items() if key[0] != "GET" and "auditor" in roles}

    asking = {("POST", "/model-policy/simulate"), ("POST", "/memory/search"), ("POST", "/memory/export")}
    assert writes == asking
