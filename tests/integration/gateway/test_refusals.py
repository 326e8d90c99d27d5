"""What cannot be answered: SDK errors users expect, bad input named by field, and nothing recorded."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from tests.integration.gateway.live import HELLO, Live, LiveTenant, fresh, rule

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
GOOD: dict[str, dict[str, Any]] = {
    CHAT: {"model": "up/any", "messages": HELLO},
    MESSAGES: {"model": "cl/any", "messages": HELLO, "max_tokens": 16},
}
PATHS = list(GOOD)
NESTED = b'{"model":"up/any","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def error_of(path: str, answer: Any) -> dict[str, Any]:
    """Return the error, having checked the dialect's envelope."""
    body = answer.json()
    if path == MESSAGES:
        assert body["type"] == "error"
        assert body["request_id"] == answer.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    assert error["message"]
    assert error["type"]
    return error


ERRORS: list[tuple[str, type[Exception], type[Exception]]] = [
    ("", openai.NotFoundError, anthropic.NotFoundError),
    ("400", openai.BadRequestError, anthropic.BadRequestError),
    ("404", openai.NotFoundError, anthropic.NotFoundError),
    ("422", openai.UnprocessableEntityError, anthropic.UnprocessableEntityError),
    ("429=3", openai.RateLimitError, anthropic.RateLimitError),
    ("500", openai.InternalServerError, anthropic.InternalServerError),
    ("401", openai.InternalServerError, anthropic.InternalServerError),
    ("context-length", openai.BadRequestError, anthropic.BadRequestError),
]


@pytest.mark.parametrize("provider", ["up", "cl"])
@pytest.mark.parametrize(("words", "chat_error", "message_error"), ERRORS)
async def test_sdks_raise_the_error_a_user_expects(
    tenant: LiveTenant,
    provider: str,
    words: str,
    chat_error: type[openai.APIStatusError],
    message_error: type[anthropic.APIStatusError],
) -> None:
    names = [f"{provider}/{fresh(words)}" if words else "nobody/has-this" for _ in range(2)]
    with pytest.raises(chat_error) as caught:
        await tenant.openai().chat.completions.create(model=names[0], messages=HELLO)
    assert caught.value.request_id
    with pytest.raises(message_error) as also_caught:
        await tenant.anthropic().messages.create(model=names[1], messages=HELLO, max_tokens=16)
    assert also_caught.value.response.headers["x-request-id"]
    if words.startswith("429"):
        assert caught.value.response.headers["retry-after"] == "3"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", ["", "aios_unknown"])
async def test_no_key_and_an_unknown_key_are_401_in_dialect(live: Live, path: str, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    answer = await live.http.post(path, json={}, headers=headers)
    assert answer.status_code == 401
    assert error_of(path, answer)["type"] == "authentication_error"


async def test_sdks_raise_authentication_errors(tenant: LiveTenant) -> None:
    with pytest.raises(openai.AuthenticationError):
        await tenant.openai("aios_wrong").chat.completions.create(model="auto", messages=HELLO)
    with pytest.raises(anthropic.AuthenticationError):
        await tenant.anthropic("aios_wrong").messages.create(model="auto", messages=HELLO, max_tokens=1)


BODIES: list[tuple[str, bytes, str]] = [
    ("broken", b'{"model": "up/any", ', ""),
    ("not an object", b"[1]", ""),
    ("empty", b"", ""),
    ("bad UTF-8", b'{"model":"\xff\xfe","messages":[]}', ""),
    ("nested", NESTED, ""),
    ("no model", json.dumps({"messages": HELLO, "max_tokens": 1}).encode(), "/model"),
    ("model is a number", json.dumps({"model": 7, "messages": HELLO, "max_tokens": 1}).encode(), "/model"),
    ("no messages", json.dumps({"model": "auto", "max_tokens": 1}).encode(), "/messages"),
    (
        "messages is text",
        json.dumps({"model": "auto", "messages": "hi", "max_tokens": 1}).encode(),
        "/messages",
    ),
    (
        "a message is text",
        json.dumps({"model": "auto", "messages": ["hi"], "max_tokens": 1}).encode(),
        "/messages/0",
    ),
    (
        "max_tokens is text",
        json.dumps({"model": "auto", "messages": HELLO, "max_tokens": "many"}).encode(),
        "/max_tokens",
    ),
    (
        "stream is text",
        json.dumps({"model": "auto", "messages": HELLO, "max_tokens": 1, "stream": "yes"}).encode(),
        "/stream",
    ),
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("body", "pointer"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES])
async def test_a_bad_body_is_400_and_names_the_field(
    tenant: LiveTenant, path: str, body: bytes, pointer: str
) -> None:
    answer = await tenant.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    error = error_of(path, answer)
    assert error["type"] == "invalid_request_error"
    assert pointer in error["message"]
    if path == CHAT and pointer:
        assert error["param"].startswith(pointer)


@pytest.mark.parametrize("path", PATHS)
async def test_a_huge_body_is_413(tenant: LiveTenant, path: str) -> None:
    huge = json.dumps(GOOD[path] | {"messages": [{"role": "user", "content": "x" * 11_000_000}]}).encode()
    answer = await tenant.post(path, content=huge, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert error_of(path, answer)["message"]


HEADERS = [
    {"x-aios-latency-budget-ms": "soon"},
    {"x-aios-latency-budget-ms": "0"},
    {"x-aios-fallback": "maybe"},
    {"x-aios-dry-run": "yes"},
    {"x-aios-segment": "x" * 300},
    {"x-aios-user": ""},
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", HEADERS, ids=lambda h: next(iter(h)))
async def test_a_bad_header_is_400_and_named(tenant: LiveTenant, path: str, headers: dict[str, str]) -> None:
    answer = await tenant.post(path, json=GOOD[path], headers=headers)
    assert answer.status_code == 400
    assert next(iter(headers)) in error_of(path, answer)["message"]


async def test_nothing_of_what_was_refused_is_recorded(live: Live) -> None:
    tenant = await live.tenant()
    for path in PATHS:
        for _, body, _pointer in BODIES:
            await tenant.post(path, content=body, headers={"content-type": "application/json"})
        for headers in HEADERS:
            await tenant.post(path, json=GOOD[path], headers=headers)
        await tenant.post(path, json=GOOD[path] | {"model": "nobody/has-this"})
    assert await tenant.recorded() == 0
    assert (await tenant.call("GET", "/requests"))["items"] == []


async def test_a_key_bound_to_a_workspace_stays_in_it(tenant: LiveTenant) -> None:
    await tenant.policy("bound", rule("up/bound"))
    made = await tenant.call(
        "POST", "/keys", json={"name": "b", "roles": ["service"], "workspace_id": "bound"}
    )
    raw = await tenant.openai(made["key"]).chat.completions.with_raw_response.create(
        model="auto", messages=HELLO
    )
    assert (raw.headers["x-aios-policy"], raw.headers["x-aios-model"]) == ("bound@1", "bound")
    with pytest.raises(openai.PermissionDeniedError):
        await tenant.openai(made["key"], workspace="other").chat.completions.create(
            model="auto", messages=HELLO
        )


async def test_an_auditor_may_not_ask_models(tenant: LiveTenant) -> None:
    made = await tenant.call("POST", "/keys", json={"name": "a", "roles": ["auditor"]})
    with pytest.raises(openai.PermissionDeniedError):
        await tenant.openai(made["key"]).chat.completions.create(model="up/any", messages=HELLO)


async def test_fallback_off_by_header(tenant: LiveTenant) -> None:
    failing = f"up/{fresh('500')}"
    await tenant.policy("off", rule(failing, "cl/any"))
    assert (
        await tenant.openai(workspace="off").chat.completions.create(model="auto", messages=HELLO)
    ).choices
    with pytest.raises(openai.InternalServerError) as caught:
        await tenant.openai(workspace="off", fallback="off").chat.completions.create(
            model="auto", messages=HELLO
        )
    headers = caught.value.response.headers
    assert headers["x-aios-policy"] == "off@1"
    assert headers["x-aios-attempts"].startswith(f"{failing};status_500;")


async def test_a_dry_run_tells_the_decision_and_calls_nobody(tenant: LiveTenant) -> None:
    before = len(tenant.live.upstream.requests)
    answer = await tenant.post(CHAT, json=GOOD[CHAT], headers={"x-aios-dry-run": "1"})
    assert answer.status_code == 200
    assert answer.json()["decision"]["targets"] == ["up/any"]
    assert answer.headers["x-aios-provider"] == "up"
    assert len(tenant.live.upstream.requests) == before


async def test_a_spent_budget_is_504_with_the_attempts(tenant: LiveTenant) -> None:
    client = tenant.openai(latency_budget_ms="150")
    with pytest.raises(openai.InternalServerError) as caught:
        await client.chat.completions.create(model=f"up/{fresh('hang')}", messages=HELLO)
    assert caught.value.status_code == 504
    assert caught.value.code == "latency_budget_exhausted"
    body: Any = caught.value.body
    assert [a["outcome"] for a in body["attempts"]] == ["timeout_first_byte"]
