"""The API's description: complete, true to the routes, readable without a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from interfaces.http.app import PREFIX, create_app
from tests.interfaces.http.fakes import World

METHODS = {"get", "post", "put", "patch", "delete"}
NEVER_KEPT = {"/pii/reveal", "/memory/export"}
"""Their answers quote personal data, so repeats are answered anew and a key would mean nothing."""


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return create_app(World(dist=tmp_path_factory.mktemp("dist")).services())


@pytest.fixture(scope="module")
def document(app) -> dict[str, Any]:
    with TestClient(app) as client:
        return client.get("/docs/openapi.json").json()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, method, operation


def empty_schemas(node: Any, path: str = "") -> Iterator[str]:
    """Yield where a schema says nothing at all."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from empty_schemas(item, f"{path}/{index}")
    elif isinstance(node, dict):
        for key, value in node.items():
            if value == {} and not path.endswith("/security"):
                yield f"{path}/{key}"
            yield from empty_schemas(value, f"{path}/{key}")


def test_every_route_is_described(app, document):
    served = {
        (route.path_format, method.lower())
        for route in app.routes
        for method, (handler, _) in getattr(route, "route_handler_map", {}).items()
        if method != "OPTIONS" and handler.resolve_include_in_schema()
    }

    assert {(path, method) for path, method, _ in operations(document)} == served
    assert all(path.startswith((PREFIX, "/v1/", "/health/", "/metrics")) for path, _ in served)


def test_every_operation_has_an_id_of_its_own_a_summary_and_a_description(document):
    ids = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(set(ids)) == len(ids)
    for path, _, operation in operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        assert operation["tags"], path


def test_keyed_operations_say_their_security_and_what_refuses_them(document):
    for path, method, operation in operations(document):
        if not operation.get("x-aios-roles"):
            continue
        assert {"bearer": []} in operation["security"], path
        assert {"401", "403"} <= set(operation["responses"]), path
        if path.startswith(PREFIX) and method != "get":
            names = {parameter["name"] for parameter in operation["parameters"]}
            assert ("Idempotency-Key" in names) is (path.removeprefix(PREFIX) not in NEVER_KEPT), path
            assert {"400", "409", "413", "415", "422"} <= set(operation["responses"]), path


def test_operations_without_a_key_are_few_and_known(document):
    open_ones = {
        (path.removeprefix(PREFIX), method)
        for path, method, operation in operations(document)
        if operation["security"] == [{}]
    }

    assert open_ones == {
        ("/session", "post"),
        ("/session", "delete"),
        ("/billing/stripe/webhook", "post"),
        ("/health/live", "get"),
        ("/health/ready", "get"),
        ("/metrics", "get"),
    }


def test_errors_are_problem_documents_and_successes_have_real_properties(document):
    schemas = document["components"]["schemas"]
    for path, _, operation in operations(document):
        for status, response in operation["responses"].items():
            content = response.get("content") or {}
            if path.startswith(PREFIX) and int(status) >= 400:
                assert list(content) == ["application/problem+json"], (path, status)
            for body in content.values():
                reference = body["schema"].get("$ref", "").rpartition("/")[2]
                assert not reference or schemas[reference].get("properties"), (path, status, reference)


def test_no_schema_is_empty(document):
    assert list(empty_schemas(document["components"]["schemas"])) == []
    assert list(empty_schemas(document["paths"], "/paths")) == []


def test_bodies_are_required_and_refuse_unknown_fields(document):
    schemas = document["components"]["schemas"]
    for path, _, operation in operations(document):
        if not path.startswith(PREFIX) or "requestBody" not in operation:
            continue
        assert operation["requestBody"]["required"] is True
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert schemas[name].get("additionalProperties") is False, name


def test_lists_are_pages(document):
    schemas = document["components"]["schemas"]
    for name in ("listKeys", "listTenants", "listEvents", "listRequests", "getModelPolicyHistory"):
        operation = next(found for _, _, found in operations(document) if found["operationId"] == name)
        limit = next(p for p in operation["parameters"] if p["name"] == "limit")["schema"]
        assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 500, 50)
        page = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        assert set(schemas[page.rpartition("/")[2]]["properties"]) == {"items", "next_cursor"}


def test_the_page_works_from_local_files_under_a_strict_policy(client, world):
    folder = world.dist / "swagger-ui"
    folder.mkdir(parents=True)
    (folder / "swagger-ui-bundle.js").write_text("window.SwaggerUIBundle = () => 0;" * 100)

    page = client.get("/docs")
    script = client.get("/docs/assets/swagger-ui-bundle.js")

    assert "//" not in page.text.replace("</", "")
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["content-encoding"] == "gzip"
    assert client.get("/docs/start.js").text.startswith("if (window.SwaggerUIBundle)")


def test_a_missing_part_of_the_page_names_the_cure(client):
    answer = client.get("/docs/assets/swagger-ui-bundle.js")

    assert answer.status_code == 404
    assert "aios ui build" in answer.json()["detail"]
    assert client.get("/docs/nothing").headers["content-type"] == "application/problem+json"
