"""Request ids, log lines and metrics of every answer, and the headers all answers share."""

from __future__ import annotations

import re

import pytest
import structlog

SESSION = "/api/ai-advanced/session"


def test_an_id_is_made_in_time_order_and_fits_into_urls(client):
    ids = [client.get("/health/live").headers["x-request-id"] for _ in range(3)]

    assert all(re.fullmatch(r"req_[0-9a-hjkmnp-tv-z]{26}", found) for found in ids)
    assert [found[:14] for found in ids] == sorted(found[:14] for found in ids)


def test_a_well_formed_incoming_id_is_kept(client):
    answer = client.get("/nowhere", headers={"x-request-id": "my-trace:1.2_3"})

    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "my-trace:1.2_3"


def test_the_gateway_s_ids_are_its_own_since_its_records_go_by_them(client):
    answer = client.get("/v1/models", headers={"x-request-id": "mine", "x-api-key": "key-admin"})

    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("bad", ["", "has space", "x" * 129, "semi;colon", "-leading"])
def test_other_incoming_ids_are_replaced(client, bad):
    assert (
        client.get("/health/live", headers={"x-request-id": bad}).headers["x-request-id"].startswith("req_")
    )


def test_each_request_is_reported_once_without_query_body_or_key(client, world):
    with structlog.testing.capture_logs() as lines:
        answer = client.get(f"{SESSION}?api_key=key-admin", headers={"x-api-key": "key-admin"})

    (served,) = world.observed
    assert (served.method, served.route, served.status, served.tenant) == ("GET", SESSION, 422, "acme")
    assert (served.request_id, served.quiet) == (answer.headers["x-request-id"], False)
    assert 0 < served.seconds < 60
    assert "key-admin" not in f"{served}{lines}"


def test_reports_know_routes_not_paths_and_which_are_of_browsers_and_probes(client, world):
    for path in ("/admin/some/page", "/no/such/path", "/health/live"):
        client.get(path)

    assert [(served.method, served.route, served.status, served.quiet) for served in world.observed] == [
        ("GET", "/admin/{path}", 503, False),  # what fails is told
        ("GET", "unmatched", 404, False),
        ("GET", "/health/live", 200, True),
    ]


def test_answers_of_the_api_are_never_stored_by_caches(client):
    answer = client.get(SESSION)

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_head_is_answered_like_get(client):
    answer = client.head("/health/live")

    assert answer.status_code == 200
