"""Corrections on the real product: sums, quotas and the request itself follow; the record stays."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import psycopg
import pytest

from domain.kernel.request_record import RequestRecorded
from infrastructure.event_store.verify import verify
from tests.interfaces.http.test_usage import record, store, used

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/usage/corrections"


async def sums(tenant) -> tuple[int, int]:
    found = (await tenant.call("GET", "/usage/summary")).json()
    return found["total_tokens"], found["cost_micros"]


async def test_a_correction_counts_everywhere_and_the_record_stays(product):
    tenant = await used(product)  # 10, 20 and 30 tokens in, twice as many out, 1000 micros a token in

    answer = await tenant.call(
        "POST",
        PATH,
        json={"request_id": "req_20", "reason": "invoice", "output_tokens": 5, "cost_usd": "0.5"},
    )

    assert answer.status_code == 201, answer.text
    assert (answer.json()["before"]["cost_micros"], answer.json()["after"]["cost_micros"]) == (
        20_000,
        500_000,
    )
    assert await sums(tenant) == (180 - 35, 60_000 + 480_000)
    quota = (await tenant.call("GET", "/usage/quota")).json()
    assert (quota["used_tokens"], quota["used_micros"]) == (145, 540_000)
    request = (await tenant.call("GET", "/requests/req_20")).json()
    assert (request["output_tokens"], request["cost_micros"], request["corrections"]) == (5, 500_000, 1)
    assert request["corrected"][0]["before"]["usage"]["output"] == 40
    assert request["attempts"][0]["cost_micros"] == 20_000
    lines = [json.loads(line) for line in (await tenant.call("GET", "/usage/events")).text.splitlines()]
    assert [line["output_tokens"] for line in lines] == [20, 5, 60]
    stored = product.api.runtime.log.read(types=[RequestRecorded.TYPE], tenant=tenant.name)
    assert [e.event.usage.output async for e in stored if e.event.request_id == "req_20"] == [40]
    by = (await tenant.call("GET", "/usage/breakdown", params={"by": "user"})).json()["items"]
    assert [item["cost_micros"] for item in by] == [540_000]


async def test_a_second_correction_starts_from_the_first_and_both_are_listed(product):
    tenant = await used(product)
    for cost in ("0.1", "0"):
        body = {"request_id": "req_10", "reason": f"to {cost}", "cost_usd": cost}
        assert (await tenant.call("POST", PATH, json=body)).status_code == 201

    listed = (await tenant.call("GET", PATH, params={"request_id": "req_10"})).json()["items"]

    assert [(each["number"], each["reason"]) for each in listed] == [(2, "to 0"), (1, "to 0.1")]
    assert listed[0]["before"]["cost_micros"] == 100_000
    assert await sums(tenant) == (180, 50_000)


async def test_the_counters_equal_the_log_after_corrections(product):
    tenant = await used(product)
    body = {"request_id": "req_30", "reason": "less", "input_tokens": 3, "cached_tokens": 0}
    assert (await tenant.call("POST", PATH, json=body)).status_code == 201

    async with await psycopg.AsyncConnection.connect(
        product.api.runtime.where.system_dsn, autocommit=True
    ) as conn:
        report = await verify(conn)

    assert report.ok, report.problems


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({}, "/"),
        ({"output_tokens": -1}, "/output_tokens"),
        ({"output_tokens": 10**20}, "/output_tokens"),
        ({"cost_usd": "-1"}, "/cost_usd"),
        ({"cost_usd": "0.0000001"}, "/cost_usd"),
        ({"cost_usd": "1", "currency": "EUR"}, "/currency"),
        ({"cached_tokens": 11}, "/cached_tokens"),
        ({"reason": ""}, "/reason"),
        ({"model": "x"}, "/model"),
    ],
)
async def test_bad_corrections_are_refused_by_name(product, change, pointer):
    tenant = await used(product)

    refused = await tenant.call("POST", PATH, json={"request_id": "req_10", "reason": "why", **change})

    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert await sums(tenant) == (180, 60_000)


async def test_unknown_requests_are_404_and_refused_ones_are_no_usage(product):
    tenant = await used(product)
    other = await product.tenant()
    await store(product, other, record(5, datetime.now(UTC), attempts=(), outcome="failed", status=429))

    async def correct(by, request_id: str):
        body = {"request_id": request_id, "reason": "why", "output_tokens": 1}
        return await by.call("POST", PATH, json=body)

    assert (await correct(tenant, "req_nope")).status_code == 404
    assert (await correct(other, "req_10")).status_code == 404
    assert (await correct(other, "req_5")).status_code == 422
