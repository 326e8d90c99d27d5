"""Requests repeated with their Idempotency-Key: one call of the provider, one record, one answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.gateway.live import HELLO, Live

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "up/any", "messages": HELLO},
    "/v1/messages": {"model": "cl/any", "messages": HELLO, "max_tokens": 16},
}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_repeated_request_gets_its_first_answer(live: Live, path: str, stream: bool) -> None:
    tenant = await live.tenant()
    live.upstream.clear()
    body, headers = BODIES[path] | {"stream": stream}, {"idempotency-key": "once"}
    both = await asyncio.gather(
        tenant.post(path, json=body, headers=headers), tenant.post(path, json=body, headers=headers)
    )
    again = await tenant.post(path, json=body, headers=headers)
    assert {answer.content for answer in both} == {again.content}
    assert again.headers["idempotent-replayed"] == "true"
    assert {answer.headers["x-request-id"] for answer in both} == {again.headers["x-request-id"]}
    assert (await tenant.record(again.headers["x-request-id"]))["outcome"] == "succeeded"
    assert len(live.upstream.requests) == 1
    assert await tenant.recorded() == 1


@pytest.mark.parametrize("path", BODIES)
async def test_the_same_key_with_another_body_is_409_in_dialect(live: Live, path: str) -> None:
    tenant = await live.tenant()
    headers = {"idempotency-key": "used"}
    await tenant.post(path, json=BODIES[path], headers=headers)
    other = await tenant.post(path, json=BODIES[path] | {"temperature": 0.5}, headers=headers)
    assert other.status_code == 409
    assert other.json()["error"]["message"]
    assert await tenant.recorded() == 1


async def test_a_bad_key_and_no_permission_are_told_in_dialect(live: Live) -> None:
    tenant = await live.tenant()
    path = "/v1/messages"
    bad = await tenant.post(path, json=BODIES[path], headers={"idempotency-key": "a b"})
    assert (bad.status_code, bad.json()["type"]) == (400, "error")
    wrong = await tenant.post(path, key="aios_no", json=BODIES[path], headers={"idempotency-key": "k"})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (401, "authentication_error")
