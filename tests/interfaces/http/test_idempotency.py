"""A repeated write answers what it answered first, whatever became of the first attempt."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest
from litestar import Router
from litestar.params import JSONBody
from litestar.testing import AsyncTestClient, TestClient

from application.bus import Command
from domain.kernel.errors import NameTaken, Unavailable
from interfaces.http.app import create_app
from interfaces.http.authentication import Authentication
from interfaces.http.idempotency import Idempotency
from interfaces.http.request import ApiRequest
from interfaces.http.routing import create, read
from tests.interfaces.http.fakes import World

KEYED = {"authorization": "Bearer key-admin", "idempotency-key": "k1"}


class Make(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make something."""

    name: str


class Made(msgspec.Struct):
    """What was made, with a secret shown once."""

    name: str
    secret: str


@create("/things", roles=("admin", "operator"))
async def make(request: ApiRequest, data: JSONBody[Make]) -> Made:
    outcome = await request.dispatch(data)
    return Made(data.name, f"secret-{outcome.position}")


@read("/things", roles=("admin",))
async def things(request: ApiRequest) -> list[str]:
    return [command.name for command in cast("Any", request.services.bus).commands]


def app_of(world: World):
    router = Router("/t", route_handlers=[make, things], middleware=[Authentication, Idempotency])
    return create_app(world.services(), gateway=[router])


@pytest.fixture
def things_client(world):
    with TestClient(app_of(world), raise_server_exceptions=False) as client:
        yield client


def test_the_same_request_gets_the_same_answer_without_running_again(things_client, world):
    first = things_client.post("/t/things", json={"name": "a"}, headers=KEYED)
    again = things_client.post("/t/things", json={"name": "a"}, headers=KEYED)

    assert (first.status_code, first.json()["secret"]) == (201, "secret-1")
    assert (again.status_code, again.content) == (201, first.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert len(world.bus.sent) == 1


@pytest.mark.parametrize(("path", "body"), [("/t/things", {"name": "b"}), ("/t/things?x=1", {"name": "a"})])
def test_the_same_key_with_another_request_is_409(things_client, path, body):
    things_client.post("/t/things", json={"name": "a"}, headers=KEYED)

    answer = things_client.post(path, json=body, headers=KEYED)

    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:aios:problem:idempotency-mismatch"


def test_refusals_are_remembered_like_any_answer(things_client, world):
    world.bus.answers[Make] = NameTaken("thing", "a")
    first = things_client.post("/t/things", json={"name": "a"}, headers=KEYED)
    world.bus.answers.clear()

    again = things_client.post("/t/things", json={"name": "a"}, headers=KEYED)

    assert (first.status_code, again.status_code) == (409, 409)
    assert again.headers["idempotent-replayed"] == "true"


def test_a_failed_attempt_runs_again_under_the_same_command_id(things_client, world):
    world.bus.answers[Make] = Unavailable("database", "no answer")
    assert things_client.post("/t/things", json={"name": "a"}, headers=KEYED).status_code == 503
    world.bus.answers.clear()

    assert things_client.post("/t/things", json={"name": "a"}, headers=KEYED).status_code == 201

    first, second = (caller.command_id for _, caller in world.bus.sent)
    assert first == second


def test_without_a_key_each_request_is_a_command_of_its_own(things_client, world):
    for _ in range(2):
        things_client.post("/t/things", json={"name": "a"}, headers={"x-api-key": "key-admin"})

    first, second = (caller.command_id for _, caller in world.bus.sent)
    assert first != second


def test_keys_belong_to_a_tenant_and_reads_take_none(things_client, world):
    things_client.post("/t/things", json={"name": "a"}, headers=KEYED)

    assert list(world.idempotency.kept) == [("acme", "k1")]
    assert things_client.get("/t/things", headers=KEYED).json() == ["a"]


@pytest.mark.parametrize("key", ["", "has blank", "x" * 256, "\x7f"])
def test_unusable_keys_are_422(things_client, world, key):
    answer = things_client.post("/t/things", json={"name": "a"}, headers={**KEYED, "idempotency-key": key})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/Idempotency-Key"
    assert world.bus.sent == []


def test_a_key_does_not_open_the_door(things_client, world):
    things_client.post("/t/things", json={"name": "a"}, headers=KEYED)

    assert (
        things_client.post("/t/things", json={"name": "a"}, headers={"idempotency-key": "k1"}).status_code
        == 401
    )
    refused = things_client.post(
        "/t/things", json={"name": "a"}, headers={**KEYED, "authorization": "Bearer key-auditor"}
    )
    assert refused.status_code == 403


async def test_a_concurrent_duplicate_waits_for_the_answer(world):
    running = asyncio.Event()

    async def slow() -> None:
        running.set()
        await asyncio.sleep(0.3)

    world.bus.before_answer = slow
    async with AsyncTestClient(app_of(world)) as client:
        first = asyncio.create_task(client.post("/t/things", json={"name": "a"}, headers=KEYED))
        await running.wait()
        second = await client.post("/t/things", json={"name": "a"}, headers=KEYED)

    assert (await first).content == second.content
    assert second.headers["idempotent-replayed"] == "true"
    assert len(world.bus.sent) == 1
