"""Memories on the real product: added, found, read, listed, changed, deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)


async def add(tenant: Any, content: str, **fields: Any) -> dict[str, Any]:
    answer = await tenant.call("POST", "/memory", json={"content": content, "category": "support", **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def found(tenant: Any, query: str, **fields: Any) -> list[dict[str, Any]]:
    answer = await tenant.call("POST", "/memory/search", json={"query": query, **fields})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_memory_is_read_as_it_was_added(product):
    tenant = await product.tenant()
    occurred = (NOW - timedelta(days=3)).isoformat()
    ids = {"subject_id": "anna", "user_id": "u1", "agent_id": "a1", "session_id": "s1"}
    made = await add(
        tenant, "Prefers tea", metadata={"source": ["chat", {"n": 1}]}, occurred_at=occurred, **ids
    )
    read = (await tenant.call("GET", f"/memory/{made['id']}")).json()
    assert made["position"] > 0
    assert made["id"] == made["memory_id"]
    assert {name: read[name] for name in ids} == ids
    assert (read["content"], read["category"]) == ("Prefers tea", "support")
    assert read["metadata"] == {"source": ["chat", {"n": 1}]}
    assert datetime.fromisoformat(read["occurred_at"]) == datetime.fromisoformat(occurred)
    assert read["expires_at"] is None


async def test_personal_data_is_scrubbed_before_it_is_stored(product):
    tenant = await product.tenant()
    made = await add(
        tenant, "Write to anna@example.com", metadata={"card": "4111 1111 1111 1111", "n": 4111111111111111}
    )
    read = (await tenant.call("GET", f"/memory/{made['id']}")).text
    assert made["content"] == "Write to [EMAIL]"
    assert made["scrubbed"] == {"EMAIL": 1, "CREDIT_CARD": 2}
    assert "anna@" not in read
    assert "4111" not in read


async def test_a_memory_is_found_by_its_words_and_by_its_meaning_right_after_it_was_added(product):
    tenant = await product.tenant()
    for text in ("The office is closed on Fridays", "Invoices go to the finance team", "Anna drinks oolong"):
        await add(tenant, text)
    by_words = await found(tenant, "oolong")
    by_meaning = await found(tenant, "which tea does she like?", channels=["vector"])
    assert by_words[0]["content"] == by_meaning[0]["content"] == "Anna drinks oolong"
    assert by_words[0]["channels"].keys() == {"text", "vector"}
    assert by_words[0]["channels"]["text"]["rank"] == 1
    assert by_words[0]["score"] == 1.0
    assert [item["score"] for item in by_words] == sorted((i["score"] for i in by_words), reverse=True)


async def test_filters_narrow_a_search(product):
    tenant = await product.tenant()
    old = (NOW - timedelta(days=400)).isoformat()
    await add(tenant, "likes green tea", subject_id="anna", metadata={"lang": "en", "tags": ["a"]})
    await add(tenant, "likes black tea", subject_id="bert", category="sales", occurred_at=old)
    for filters, expected in (
        ({"subject_id": "anna"}, {"likes green tea"}),
        ({"category": "sales"}, {"likes black tea"}),
        ({"category": ["sales", "support"]}, {"likes green tea", "likes black tea"}),
        ({"metadata": {"lang": "en"}}, {"likes green tea"}),
        ({"metadata": {"lang": "de"}}, set()),
        ({"before": (NOW - timedelta(days=1)).isoformat()}, {"likes black tea"}),
        ({"after": (NOW - timedelta(days=1)).isoformat()}, {"likes green tea"}),
    ):
        assert {item["content"] for item in await found(tenant, "tea", filters=filters)} == expected, filters


async def test_recency_puts_newer_memories_first(product):
    tenant = await product.tenant()
    await add(tenant, "the meeting room is blue", occurred_at=(NOW - timedelta(days=365)).isoformat())
    await add(tenant, "the meeting room is green today after paint")
    items = await found(tenant, "meeting room blue", recency_half_life_days=7)
    assert items[0]["content"].startswith("the meeting room is green")


async def test_lists_are_paged_newest_first(product):
    tenant = await product.tenant()
    for day in range(5):
        await add(tenant, f"day {day}", occurred_at=(NOW - timedelta(days=day + 1)).isoformat(), user_id="u")
    first = (await tenant.call("GET", "/memory", params={"limit": 3, "user_id": "u"})).json()
    rest = (await tenant.call("GET", "/memory", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [item["content"] for item in first["items"] + rest["items"]] == [f"day {n}" for n in range(5)]
    assert rest["next_cursor"] is None
    assert (await tenant.call("GET", "/memory", params={"subject_id": "nobody"})).json()["items"] == []


async def test_a_memory_can_be_changed_and_deleted(product):
    tenant = await product.tenant()
    made = await add(tenant, "lives in Rome", metadata={"a": 1}, ttl_days=10)
    changed = await tenant.call("PATCH", f"/memory/{made['id']}", json={"content": "lives in Paris"})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["content"], changed.json()["metadata"]) == ("lives in Paris", {"a": 1})
    assert [item["content"] for item in await found(tenant, "Paris")] == ["lives in Paris"]
    assert await found(tenant, "Rome", channels=["text"]) == []
    unlimited = await tenant.call("PATCH", f"/memory/{made['id']}", json={"ttl_days": None})
    assert unlimited.json()["expires_at"] is None
    gone = await tenant.call("DELETE", f"/memory/{made['id']}")
    assert gone.json() == {"id": made["id"], "memory_id": made["id"], "deleted": True, **_position(gone)}
    for method in ("GET", "DELETE", "PATCH"):
        body = {"json": {"content": "x"}} if method == "PATCH" else {}
        assert (await tenant.call(method, f"/memory/{made['id']}", **body)).status_code == 404
    assert await found(tenant, "Paris") == []


async def test_a_batch_is_stored_as_a_whole_or_not_at_all(product):
    tenant = await product.tenant()
    good = await tenant.call(
        "POST", "/memory/batch", json={"items": [{"content": "one"}, {"content": "two"}]}
    )
    bad = await tenant.call(
        "POST", "/memory/batch", json={"items": [{"content": "three"}, {"content": "fo\u0007ur"}]}
    )
    assert [item["content"] for item in good.json()["items"]] == ["one", "two"]
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "/items/1/content")
    listed = (await tenant.call("GET", "/memory")).json()["items"]
    assert {item["content"] for item in listed} == {"one", "two"}


async def test_the_same_idempotency_key_adds_once(product):
    tenant = await product.tenant()
    headers = {"idempotency-key": "k1"}
    answers = [
        await tenant.call("POST", "/memory", json={"content": "once"}, headers=headers) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len((await tenant.call("GET", "/memory")).json()["items"]) == 1


async def test_duplicates_are_merged_where_it_is_asked_for(product):
    tenant = await product.tenant()
    first = await add(tenant, "Anna is allergic to nuts", subject_id="anna", metadata={"a": 1})
    items = [{"content": "anna is ALLERGIC to nuts ", "category": "support", "subject_id": "anna",
              "metadata": {"b": 2}}]  # fmt: skip
    again = await tenant.call("POST", "/memory/batch", json={"items": items, "merge_duplicates": True})
    assert again.json()["items"][0]["id"] == first["id"]
    assert again.json()["items"][0]["outcome"] == "merged"
    (only,) = (await tenant.call("GET", "/memory")).json()["items"]
    assert only["metadata"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"content": ""}, "/content"),
        ({"content": "   \n"}, "/content"),
        ({"content": "x" * 100_000}, "/content"),
        ({"content": "bell \u0007"}, "/content"),
        ({"content": "nul \u0000"}, "/content"),
        ({"content": "x", "occurred_at": (NOW + timedelta(days=2)).isoformat()}, "/occurred_at"),
        ({"content": "x", "occurred_at": "yesterday"}, "/occurred_at"),
        ({"content": "x", "occurred_at": "0001-01-01T00:00:00+14:00"}, "/occurred_at"),
        ({"content": "x", "ttl_days": -1}, "/ttl_days"),
        ({"content": "x", "ttl_days": 10**12}, "/ttl_days"),
        ({"content": "x", "ttl_days": 1.5}, "/ttl_days"),
        ({"content": "x", "category": "a/b"}, "/category"),
        ({"content": "x", "category": ""}, "/category"),
        ({"content": "x", "subject_id": ""}, "/subject_id"),
        ({"content": "x", "user_id": "u\u0001"}, "/user_id"),
        ({"content": "x", "metadata": {"k": "v\u0002"}}, "/metadata/k"),
        ({"content": "x", "metadata": {"k": "v" * 20_000}}, "/metadata"),
        ({"content": "x", "metadata": {str(n): n for n in range(200)}}, "/metadata"),
        ({"content": "x", "metadata": "text"}, "/metadata"),
        ({"content": "x", "colour": 1}, "/colour"),
        ({"category": "x"}, "/content"),
    ],
)  # fmt: skip
async def test_bad_input_is_refused_by_name_and_nothing_is_stored(product, body, pointer):
    tenant = await product.tenant()
    refused = await tenant.call("POST", "/memory", json=body)
    assert refused.status_code == 422, refused.text
    assert [error["pointer"] for error in refused.json()["errors"]][:1] == [pointer]
    assert (await tenant.call("GET", "/memory")).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"query": ""}, "/query"),
        ({"query": "  "}, "/query"),
        ({"query": "x" * 100_000}, "/query"),
        ({"query": "x", "limit": 0}, "/limit"),
        ({"query": "x", "limit": 1000}, "/limit"),
        ({"query": "x", "filters": {"colour": 1}}, "/filters/colour"),
        ({"query": "x", "filters": {"after": "soon"}}, "/filters/after"),
        ({"query": "x", "recency_half_life_days": 0}, "/recency_half_life_days"),
        ({"query": "x", "min_score": 2}, "/min_score"),
    ],
)
async def test_a_bad_search_is_refused_by_name(product, body, pointer):
    tenant = await product.tenant()
    refused = await tenant.call("POST", "/memory/search", json=body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("query", ["'; drop table", "a & | ! b", ":*", "\\", "日本語", "the of and", "%_"])
async def test_any_text_may_be_searched_for(product, query):
    tenant = await product.tenant()
    await add(tenant, f"something {query} else")
    assert len(await found(tenant, query)) == 1


async def test_vector_search_is_told_in_numbers(product):
    tenant = await product.tenant()
    await add(tenant, "a text")
    await found(tenant, "text")
    numbers = (await tenant.call("GET", "/analytics/vector-search")).json()
    assert (numbers["memories"], numbers["vectors"]) == (1, 1)
    assert numbers["models"] == {"all-minilm-l6-v2": 1}


def _position(answer: Any) -> dict[str, int]:
    return {"position": int(answer.headers["x-aios-position"])}


async def test_a_conversation_is_remembered_through_the_metered_gateway(product):
    tenant = await product.tenant()
    messages = [{"role": "user", "content": "I moved to Lisbon. My mail is anna@example.com."}]
    answer = await tenant.call("POST", "/memory", json={"messages": messages, "user_id": "anna"}, timeout=120)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["items"]
    assert all(item["origin"] == "extracted" for item in made["items"])
    assert "anna@" not in answer.text
    assert made["request_id"] == answer.headers["x-request-id"]
    record = (await tenant.call("GET", f"/requests/{made['request_id']}")).json()
    assert record["usage"]["total_tokens"] > 0
    assert len((await tenant.call("GET", "/memory", params={"user_id": "anna"})).json()["items"]) == len(
        made["items"]
    )


@pytest.mark.parametrize("body", [{}, {"content": "x", "messages": [{"role": "user", "content": "x"}]}])
async def test_either_a_content_or_messages(product, body):
    tenant = await product.tenant()
    refused = await tenant.call("POST", "/memory", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/content")
