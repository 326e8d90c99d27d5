"""Liveness asks nobody; readiness asks everybody, briefly, and names who fails."""

from __future__ import annotations

import asyncio

from domain.kernel.errors import Unavailable


async def fine() -> str:
    return "log at position 7"


async def silent() -> None:
    await asyncio.sleep(60)


async def broken() -> None:
    raise ConnectionError("postgresql://user:password@host/db refused")


async def explained() -> None:
    raise Unavailable("queue", "the queue does not answer")


def test_the_process_is_alive_whatever_else_fails(client, world):
    world.probes["database"] = broken

    assert client.get("/health/live").json() == {"status": "alive", "version": "1.2.3"}


def test_ready_lists_every_component(client, world):
    world.probes.update(database=fine, queue=fine)

    answer = client.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert {name: found["status"] for name, found in answer.json()["components"].items()} == {
        "database": "ok",
        "queue": "ok",
    }
    assert answer.json()["components"]["database"]["detail"] == "log at position 7"


def test_a_failing_component_makes_it_503_and_is_named(client, world):
    world.probes.update(database=fine, queue=explained, disk=broken)

    answer = client.get("/health/ready")

    problem = answer.json()
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["components"]["database"]["status"] == "ok"
    assert problem["components"]["queue"]["detail"] == "the queue does not answer"
    assert problem["components"]["disk"]["detail"] == "ConnectionError"
    assert "queue" in problem["detail"]
    assert "password" not in answer.text


def test_a_silent_component_fails_within_two_seconds(client, world):
    world.probes.update(database=silent, queue=silent)

    problem = client.get("/health/ready").json()

    assert problem["components"]["database"]["detail"] == "no answer within 2 s"
    assert problem["components"]["queue"]["ms"] < 10_000


def test_metrics_are_open_text(client):
    answer = client.get("/metrics")

    assert answer.text == "aios_up 1\n"
    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
