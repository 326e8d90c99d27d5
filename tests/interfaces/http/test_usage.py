"""Usage on the real product: what was recorded is what is summed, exported and shown."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from application.ports import AppendRequest, NewEvent
from domain.kernel.request_record import Attempt, Decision, RequestRecorded, TokenCounts

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUMS = ("input_tokens", "output_tokens", "total_tokens", "cached_tokens", "cost_micros")


def record(number: int, at: datetime, **changes) -> RequestRecorded:
    """Return the record of a request with `number` input tokens and one tenth of them cached."""
    tokens = TokenCounts(input=number, output=2 * number, cached_input=number // 10)
    attempt = Attempt(
        provider="openai",
        model="gpt-x",
        outcome="ok",
        started_ms=1,
        duration_ms=10 * number,
        usage=tokens,
        usage_source="provider",
        cost_micros=number * 1000,
        price_version="v1",
    )
    fields = {
        "request_id": f"req_{number}",
        "operation": "chat",
        "dialect": "openai",
        "workspace": "default",
        "key_id": "k1",
        "started_at": at,
        "duration_ms": 10 * number,
        "outcome": "succeeded",
        "status": 200,
        "decision": Decision(requested_model="auto", targets=("openai/gpt-x",), why="the default"),
        "attempts": (attempt,),
        "provider": "openai",
        "model": "gpt-x",
        "usage": tokens,
        "usage_source": "provider",
        "cost_micros": number * 1000,
        "user": "=cmd()",
        "subject": "person-1",
        **changes,
    }
    return RequestRecorded(**fields)


async def store(product, tenant, *records: RequestRecorded) -> None:
    """Append records as the gateway does."""
    for each in records:
        event = NewEvent(f"{tenant.name}/usage/{each.request_id}", each)
        await product.api.runtime.log.append(
            AppendRequest(tenant.name, f"c-{tenant.name}-{each.request_id}", (event,), "r", "key/k1")
        )


async def used(product, *, workspaces: tuple[str, ...] = ("default",)):
    """Return a tenant with a request of 10, 20 and 30 input tokens in each workspace."""
    tenant = await product.tenant()
    now = datetime.now(UTC)
    numbers = iter(range(10, 10 + 30 * len(workspaces), 10))
    await store(
        product,
        tenant,
        *(record(next(numbers), now, workspace=workspace) for workspace in workspaces for _ in range(3)),
    )
    return tenant


async def test_the_summary_is_the_sum_of_what_was_recorded(product):
    tenant = await used(product)

    summary = (await tenant.call("GET", "/usage/summary")).json()

    assert {name: summary[name] for name in SUMS} == {
        "input_tokens": 60,
        "output_tokens": 120,
        "total_tokens": 180,
        "cached_tokens": 6,
        "cost_micros": 60_000,
    }
    assert (summary["requests"], summary["cost_usd"], summary["success_rate"]) == (3, "0.060000", 1.0)
    assert summary["period_start"] <= datetime.now(UTC).isoformat() < summary["period_end"]


async def test_an_unused_tenant_has_zeroes_and_no_rates(product):
    tenant = await product.tenant()

    summary = (await tenant.call("GET", "/usage/summary")).json()

    assert (summary["requests"], summary["cost_usd"], summary["success_rate"]) == (0, "0.000000", None)


async def test_dates_bound_a_period_whichever_way_they_are_written(product):
    tenant = await product.tenant()
    noon = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    await store(product, tenant, record(10, noon), record(20, noon + timedelta(days=1)))

    async def requests(**params: str) -> int:
        return (await tenant.call("GET", "/usage/summary", params=params)).json()["requests"]

    assert await requests(**{"from": "2026-03-10", "to": "2026-03-11"}) == 1
    assert await requests(**{"from": "2026-03-10T12:00:00Z", "to": "2026-03-11T12:00:00.000001Z"}) == 2
    assert await requests(**{"from": "2026-03-10T13:00:00+01:00", "to": "2026-03-12"}) == 2
    assert await requests(**{"from": "2026-03-11"}) == 1
    assert await requests(to="2026-03-31") == 2
    assert await requests() == 0


async def test_a_breakdown_names_each_value(product):
    tenant = await used(product, workspaces=("default", "sales"))

    answer = await tenant.call("GET", "/usage/breakdown", params={"by": "workspace"})

    found = {item["workspace"]: item["input_tokens"] for item in answer.json()["items"]}
    assert found == {"default": 60, "sales": 150}


async def test_the_export_is_one_line_a_request_and_sums_to_the_summary(product):
    tenant = await used(product)

    answer = await tenant.call("GET", "/usage/events")
    lines = [json.loads(line) for line in answer.text.splitlines()]

    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [line["request_id"] for line in lines] == ["req_10", "req_20", "req_30"]
    assert sum(line["cost_micros"] for line in lines) == 60_000
    assert lines[0]["user"] == "=cmd()"


async def test_csv_has_the_same_fields_and_no_formulas(product):
    tenant = await used(product)

    answer = await tenant.call("GET", "/usage/events", params={"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert answer.headers["content-type"].startswith("text/csv")
    assert "usage.csv" in answer.headers["content-disposition"]
    assert [row["input_tokens"] for row in rows] == ["10", "20", "30"]
    assert (rows[0]["user"], rows[0]["stream"], rows[0]["segment"]) == ("'=cmd()", "false", "")


async def test_an_export_of_many_requests_is_complete(product):
    tenant = await product.tenant()
    now = datetime.now(UTC)
    await store(product, tenant, *(record(n, now + timedelta(milliseconds=n)) for n in range(1, 451)))

    answer = await tenant.call("GET", "/usage/events")

    assert [json.loads(line)["input_tokens"] for line in answer.text.splitlines()] == list(range(1, 451))


async def test_a_request_is_read_in_full_by_its_id(product):
    tenant = await used(product)

    found = (await tenant.call("GET", "/requests/req_20")).json()

    assert found["decision"]["why"] == "the default"
    assert found["attempts"][0]["price_version"] == "v1"
    assert (found["usage"]["input_tokens"], found["cost_usd"]) == (20, "0.020000")
    other = await product.tenant()
    assert (await other.call("GET", "/requests/req_20")).status_code == 404


async def test_requests_are_listed_newest_first_in_pages(product):
    tenant = await product.tenant()
    now = datetime.now(UTC)
    await store(product, tenant, *(record(n, now + timedelta(seconds=n)) for n in (1, 2, 3)))

    first = (await tenant.call("GET", "/requests", params={"limit": 2})).json()
    rest = (await tenant.call("GET", "/requests", params={"limit": 2, "cursor": first["next_cursor"]})).json()

    ids = [item["request_id"] for item in first["items"] + rest["items"]]
    assert ids == ["req_3", "req_2", "req_1"]
    assert rest["next_cursor"] is None


async def test_a_key_of_a_workspace_sees_its_usage_alone(product):
    tenant = await used(product, workspaces=("default", "sales"))
    key = await tenant.key("service", workspace_id="sales")

    async def ask(path: str, **params: str):
        return await product.call(key, "GET", path, params=params)

    assert (await ask("/usage/summary")).json()["input_tokens"] == 150
    assert (await ask("/usage/breakdown", by="model")).status_code == 403
    assert len((await ask("/usage/breakdown", by="workspace")).json()["items"]) == 1
    assert len((await ask("/usage/events")).text.splitlines()) == 3
    assert len((await ask("/requests")).json()["items"]) == 3
    assert (await ask("/requests/req_10")).status_code == 404
    assert (await ask("/requests/req_50")).status_code == 200


@pytest.mark.parametrize(
    ("path", "params", "pointer"),
    [
        ("/usage/summary", {"from": "soon"}, "/from"),
        ("/usage/summary", {"from": "2026-02-01", "to": "2026-01-01"}, "/to"),
        ("/usage/summary", {"since": "2026-02-01"}, "/since"),
        ("/usage/breakdown", {}, "/by"),
        ("/usage/breakdown", {"by": "colour"}, "/by"),
        ("/usage/breakdown", {"by": "model", "interval": "year"}, "/interval"),
        ("/usage/events", {"format": "xml"}, "/format"),
        ("/requests", {"limit": "0"}, "/limit"),
        ("/requests", {"limit": "501"}, "/limit"),
        ("/requests", {"limit": "many"}, "/limit"),
        ("/requests", {"cursor": "MTI"}, "/cursor"),
        ("/requests", {"cursor": "MTI0OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTkuNQ"}, "/cursor"),
        ("/requests", {"outcome": "fine"}, "/outcome"),
        ("/requests", {"workspace": "a\0b"}, "/workspace"),
    ],
)
async def test_unusable_parameters_are_refused_by_name(product, path, params, pointer):
    tenant = await product.tenant()

    answer = await tenant.call("GET", path, params=params)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
