"""Every refusal is one kind of document, with a request id, and says nothing it should not."""

from __future__ import annotations

import pytest
from litestar import get
from litestar.testing import TestClient

from domain.kernel import errors
from interfaces.http.app import create_app
from tests.interfaces.http.fakes import World

JSON = {"content-type": "application/json"}
SESSION = "/api/ai-advanced/session"

RAISED = [
    (errors.InvalidInput.at("/a/0", "no"), 422, "invalid-input"),
    (errors.Unauthenticated("who?"), 401, "unauthenticated"),
    (errors.Forbidden("not you"), 403, "forbidden"),
    (errors.NotFound("none"), 404, "not-found"),
    (errors.Gone("erased", "p1"), 410, "gone"),
    (errors.VersionConflict("t/x/1", 1, 2), 409, "version-conflict"),
    (errors.NameTaken("tenant", "acme"), 409, "name-taken"),
    (errors.LimitReached("used up"), 429, "limit-reached"),
    (errors.Unavailable("database", "no answer", 1.5), 503, "unavailable"),
]


def failing_app(world: World, error: BaseException):
    @get("/fail", opt={"public": True})
    async def fail() -> None:
        raise error

    return create_app(world.services(), gateway=[fail])


@pytest.mark.parametrize(("error", "status", "name"), RAISED)
def test_each_error_of_the_domain_has_its_status_and_type(world, error, status, name):
    with TestClient(failing_app(world, error)) as client:
        answer = client.get("/fail")

    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["type"]) == (
        status,
        status,
        f"urn:aios:problem:{name}",
    )
    assert problem["detail"] == error.message
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_details_that_belong_to_an_error_come_along(world):
    with TestClient(failing_app(world, errors.Gone("erased", "p1"))) as client:
        assert client.get("/fail").json()["purge_id"] == "p1"
    with TestClient(failing_app(world, errors.Unavailable("database", "no", 1.5))) as client:
        assert client.get("/fail").headers["retry-after"] == "2"
    with TestClient(failing_app(world, errors.InvalidInput.at("/a/0", "no"))) as client:
        assert client.get("/fail").json()["errors"] == [{"pointer": "/a/0", "detail": "no"}]
    with TestClient(failing_app(world, errors.Unauthenticated("who?"))) as client:
        assert client.get("/fail").headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("error", [ValueError("secret value"), errors.Corrupt("secret value")])
def test_a_fault_of_our_own_tells_only_the_request_id(world, error):
    with TestClient(failing_app(world, error), raise_server_exceptions=False) as client:
        answer = client.get("/fail")

    assert answer.status_code == 500
    assert "secret value" not in answer.text
    assert answer.json()["request_id"] in answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"", 422, ""),
        (b"{", 400, None),
        (b"[]", 422, ""),
        (b'"x"', 422, ""),
        (b"{}", 422, "/api_key"),
        (b'{"api_key":1}', 422, "/api_key"),
        (b'{"api_key":""}', 422, "/api_key"),
        (b'{"api_key":"k","colour":"red"}', 422, "/colour"),
        (b'{"api_key":"\\u0000"}', 422, "/api_key"),
        (b'{"api_key":"\xff"}', 400, None),
        (b'{"api_key":NaN}', 400, None),
        (b"\xef\xbb\xbf{}", 400, None),
        (b"[" * 100_000, 422, ""),
        (b'{"x":' * 50_000, 422, "/x"),
    ],
)
def test_unusable_bodies_are_named_and_never_fail_the_server(client, body, status, pointer):
    answer = client.post(SESSION, content=body, headers=JSON)

    assert answer.status_code == status
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer


def test_other_media_types_are_415(client):
    answer = client.post(SESSION, data={"api_key": "key-admin"})

    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def test_bodies_above_the_limit_are_413(client):
    assert client.post(SESSION, content=b" " * (1024 * 1024 + 1), headers=JSON).status_code == 413


def test_unknown_paths_are_404_and_unknown_methods_405_with_allow(client):
    missing = client.get("/api/ai-advanced/nothing")
    wrong = client.post("/health/live")

    assert missing.json()["type"] == "urn:aios:problem:not-found"
    assert wrong.status_code == 405
    assert "GET" in wrong.headers["allow"]


def test_options_lists_every_method_of_a_path_to_anybody(client):
    answer = client.options(SESSION)

    assert (answer.status_code, answer.headers["allow"]) == (204, "DELETE, GET, OPTIONS, POST")


def test_unknown_query_parameters_are_named(client, admin):
    answer = client.get(f"{SESSION}?colour=red", headers=admin)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/colour"


def test_authentication_comes_before_validation(client):
    assert client.get(f"{SESSION}?colour=red").status_code == 401
