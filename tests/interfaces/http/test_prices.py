"""Prices on the real product: contracts with their history, what holds, and editions in the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.usage.price_events import PriceBookImported
from infrastructure.pricing.importing import edition_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/usage/prices"
MODEL = {"provider": "openai", "model": "gpt-4o-mini"}
DEAL = {**MODEL, "input_per_mtok_usd": "0.10", "output_per_mtok_usd": 0.4}


async def test_a_contract_is_set_read_listed_and_ended_and_each_step_stays(product):
    tenant = await product.tenant()

    put = await tenant.call("PUT", PATH, json={**DEAL, "web_search_usd": "0.01", "reason": "yearly deal"})
    again = await tenant.call("PUT", PATH, json={**DEAL, "cached_input_per_mtok_usd": "0.05"})
    listed = (await tenant.call("GET", PATH)).json()["items"]
    held = (await tenant.call("GET", f"{PATH}/effective", params=MODEL)).json()
    ended = await tenant.call("DELETE", PATH, params={**MODEL, "reason": "over"})
    history = (await tenant.call("GET", f"{PATH}/history", params=MODEL)).json()["items"]

    assert put.status_code == 200, put.text
    assert put.headers["x-aios-position"] == str(put.json()["position"])
    assert (put.json()["number"], put.json()["price_version"]) == (1, "contract@1")
    assert put.json()["prices"]["input"] == {"usd": "0.1", "long_context": []}
    assert put.json()["prices"]["web_search_usd"] == "0.01"
    assert again.json()["number"] == 2
    assert [(each["number"], each["prices"]["cached_input"]["usd"]) for each in listed] == [(2, "0.05")]
    assert (held["source"], held["price_version"]) == ("contract", "contract@2")
    assert (ended.status_code, (await tenant.call("GET", PATH)).json()["items"]) == (200, [])
    assert [(each["number"], each["ended"], each["reason"]) for each in history] == [
        (3, True, "over"),
        (2, False, ""),
        (1, False, "yearly deal"),
    ]
    assert all(each["set_by"].startswith("key/") for each in history)


async def test_what_holds_without_a_contract_is_the_book_and_what_nobody_knows_is_404(product):
    tenant = await product.tenant()

    book = (await tenant.call("GET", f"{PATH}/effective", params=MODEL)).json()
    free = (await tenant.call("GET", f"{PATH}/effective", params={"provider": "local", "model": "m"})).json()
    none = await tenant.call("GET", f"{PATH}/effective", params={"provider": "openai", "model": "nope"})

    assert (book["source"], book["prices"]["input"]["usd"]) == ("book", "0.15")
    assert free["source"] == "embedded"
    assert none.status_code == 404
    assert "PUT /api/ai-advanced/usage/prices" in none.json()["detail"]


async def test_a_contract_with_tiers_begins_when_it_says(product):
    tenant = await product.tenant()
    begins = datetime.now(UTC) + timedelta(days=1)
    tier = {"above_input_tokens": 200_000, "input_per_mtok_usd": 2, "output_per_mtok_usd": 4}

    put = await tenant.call(
        "PUT", PATH, json={**DEAL, "effective_from": begins.isoformat(), "long_context": [tier]}
    )
    now = (await tenant.call("GET", f"{PATH}/effective", params=MODEL)).json()
    params = {**MODEL, "at": begins.isoformat()}
    then = (await tenant.call("GET", f"{PATH}/effective", params=params)).json()

    assert put.status_code == 200, put.text
    assert (now["source"], then["source"]) == ("book", "contract")
    assert then["prices"]["output"] == {
        "usd": "0.4",
        "long_context": [{"above_input_tokens": 200_000, "usd": "4"}],
    }


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"input_per_mtok_usd": -1}, "/input_per_mtok_usd"),
        ({"input_per_mtok_usd": "1e30"}, "/input_per_mtok_usd"),
        ({"output_per_mtok_usd": "NaN"}, "/output_per_mtok_usd"),
        ({"output_per_mtok_usd": "0.0000000001"}, "/output_per_mtok_usd"),
        ({"request_usd": "-0.01"}, "/request_usd"),
        ({"currency": "XYZ"}, "/currency"),
        ({"provider": "a/b"}, "/provider"),
        ({"model": ""}, "/model"),
        ({"effective_from": "2020-01-01T00:00:00Z"}, "/effective_from"),
        ({"colour": 1}, "/colour"),
        (
            {"long_context": [{"above_input_tokens": 5, "input_per_mtok_usd": 1, "output_per_mtok_usd": -1}]},
            "/long_context/0/output_per_mtok_usd",
        ),
        (
            {
                "long_context": [
                    {
                        "above_input_tokens": 5,
                        "input_per_mtok_usd": 1,
                        "output_per_mtok_usd": 1,
                        "cache_write_per_mtok_usd": 1,
                    }
                ]
            },
            "/long_context/0/cache_write_per_mtok_usd",
        ),
    ],
)
async def test_bad_prices_are_refused_by_name(product, change, pointer):
    tenant = await product.tenant()

    refused = await tenant.call("PUT", PATH, json={**DEAL, **change})

    assert refused.status_code == 422, refused.text
    assert pointer in [error["pointer"] for error in refused.json()["errors"]]
    assert (await tenant.call("GET", PATH)).json()["items"] == []


async def test_ending_what_was_never_agreed_is_404_and_operators_set_no_prices(product):
    tenant = await product.tenant()
    operator = await tenant.key("operator")

    assert (await tenant.call("DELETE", PATH, params=MODEL)).status_code == 404
    assert (await product.call(operator, "PUT", PATH, json=DEAL)).status_code == 403
    assert (await product.call(operator, "GET", PATH)).status_code == 200


async def test_the_edition_that_prices_stands_in_the_log_with_all_its_prices(product):
    tenant = await product.tenant()

    (edition,) = (await tenant.call("GET", f"{PATH}/editions")).json()["items"]
    book = (await tenant.call("GET", f"{PATH}/effective", params=MODEL)).json()

    imported = [
        envelope.event async for envelope in product.api.runtime.log.read(types=[PriceBookImported.TYPE])
    ]
    assert [event.edition for event in imported] == [edition["edition"]] == [book["price_version"]]
    assert edition["models"] > 2000
    assert len(edition["source_hash"]) == len(edition["content_hash"]) == 64
    assert edition_of(imported[0]).version == edition["edition"]
