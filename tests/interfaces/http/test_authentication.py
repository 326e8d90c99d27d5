"""Who gets in: keys in headers, the console's cookie, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from interfaces.http.sessions import COOKIE, Session, seal
from tests.interfaces.http.fakes import NOW

SESSION = "/api/ai-advanced/session"


def sign_in(client, key: str = "key-admin"):
    answer = client.post(SESSION, json={"api_key": key})
    assert answer.status_code == 200
    return answer


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer key-admin"},
        {"authorization": "bearer  key-admin "},
        {"x-api-key": "key-admin"},
        {"authorization": "Basic eDp5", "x-api-key": "key-admin"},
    ],
)
def test_a_key_in_a_header_gets_in(client, headers):
    answer = client.get(SESSION, headers=headers)

    assert answer.json() == {
        "tenant": "acme",
        "key_id": "idadmin",
        "roles": ["admin"],
        "workspace_id": None,
        "expires_at": None,
    }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic key-admin"},
        {"authorization": "key-admin"},
        {"x-api-key": ""},
        {"cookie": f"{COOKIE}=nonsense"},
        {"cookie": f"{COOKIE}=key-admin"},
        {"cookie": f"{COOKIE}="},
    ],
)
def test_everything_else_is_401(client, headers):
    answer = client.get(SESSION, headers=headers)

    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:aios:problem:unauthenticated"


@pytest.mark.parametrize("name", ["api_key", "x-api-key", "key", "access_token", "authorization"])
def test_a_key_in_the_query_string_never_counts(client, name):
    assert client.get(SESSION, params={name: "key-admin"}).status_code == 401


def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(client):
    cookie = sign_in(client).headers["set-cookie"].lower()

    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "max-age=28800" in cookie
    assert "secure" not in cookie
    assert "key-admin" not in cookie


def test_over_https_the_cookie_is_secure(world, client):
    client.base_url = "https://testserver.local"

    assert "secure" in sign_in(client).headers["set-cookie"].lower()


def test_the_cookie_gets_in_until_it_expires(world, client):
    sign_in(client)
    assert client.get(SESSION).status_code == 200

    world.clock.advance(timedelta(hours=8))

    assert client.get(SESSION).status_code == 401


def test_revoking_the_key_ends_its_sessions_at_once(world, client):
    sign_in(client)

    world.keys.revoke("key-admin")

    assert client.get(SESSION).status_code == 401


def test_a_wrong_key_signs_nobody_in(client):
    answer = client.post(SESSION, json={"api_key": "wrong"})

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_cookie_sealed_with_another_secret_does_not_open(client):
    token = seal(Session("acme", "idadmin", NOW + timedelta(hours=1)), b"x" * 32)

    assert client.get(SESSION, headers={"cookie": f"{COOKIE}={token}"}).status_code == 401


def test_a_key_beside_a_cookie_decides_alone(client):
    sign_in(client, "key-admin")

    assert client.get(SESSION, headers={"x-api-key": "wrong"}).status_code == 401
    assert client.get(SESSION, headers={"x-api-key": "key-auditor"}).json()["roles"] == ["auditor"]


def test_signing_out_takes_the_cookie_back(client):
    sign_in(client)

    answer = client.delete(SESSION)

    assert answer.status_code == 204
    assert client.get(SESSION).status_code == 401


FORGED = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://testserver.local"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://testserver.local:81"},
]
OWN = [
    {},
    {"origin": "http://testserver.local"},
    {"sec-fetch-site": "same-origin", "origin": "http://testserver.local"},
    {"sec-fetch-site": "none"},
]


@pytest.mark.parametrize("headers", FORGED)
def test_writes_that_another_site_makes_are_refused(client, headers):
    sign_in(client)

    assert client.delete(SESSION, headers=headers).status_code == 403
    assert client.post(SESSION, json={"api_key": "key-admin"}, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", OWN)
def test_writes_of_the_console_itself_pass(client, headers):
    sign_in(client)

    assert client.delete(SESSION, headers=headers).status_code == 204


def test_reads_are_not_bound_to_an_origin(client):
    sign_in(client)

    assert client.get(SESSION, headers={"sec-fetch-site": "cross-site"}).status_code == 200
