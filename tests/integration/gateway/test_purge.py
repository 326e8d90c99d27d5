"""Purges of gateway requests: names, prompts and answers go, and what was used stays counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.gateway.live import Live, LiveTenant, rule

pytestmark = pytest.mark.asyncio(loop_scope="session")
CHAT = "/v1/chat/completions"


async def keeping(live: Live) -> LiveTenant:
    """A tenant whose workspace keeps prompts and answers."""
    tenant = await live.tenant()
    await tenant.policy("default", rule("up/m-one"), record_content=True)
    return tenant


async def ask(tenant: LiveTenant, user: str, words: str, **headers: str) -> str:
    answer = await tenant.post(
        CHAT,
        json={"model": "auto", "messages": [{"role": "user", "content": words}]},
        headers={"x-aios-user": user, **headers},
    )
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-request-id"])


async def revealed(tenant: LiveTenant) -> str:
    """Return everything that the log tells an auditor."""
    path = "/audit/events?reveal=true&limit=500&type=usage.*"
    answer = await tenant.live.http.get(
        f"/api/ai-advanced{path}", headers={"authorization": f"Bearer {tenant.key}"}
    )
    return answer.text


async def purge(tenant: LiveTenant, **selector: Any) -> Any:
    return await tenant.call("DELETE", "/memory/purge", json={"reason": "erasure request", **selector})


async def test_a_person_is_erased_from_requests_and_usage_stays(live: Live) -> None:
    tenant = await keeping(live)
    mine = [await ask(tenant, "ana", f"word-of-ana {n}") for n in range(2)]
    other = await ask(tenant, "bob", "word-of-bob")
    await tenant.call("POST", "/feedback", json={"request_id": mine[0], "score": 1, "comment": "by-ana"})
    before = await tenant.call("GET", "/usage/summary")
    assert "word-of-ana" in await revealed(tenant)
    # when
    done = await purge(tenant, subject_id="ana")
    # then
    assert (done["status"], done["erased"]["requests"]) == ("completed", 2)
    assert "word-of-ana" not in await revealed(tenant)
    assert "word-of-bob" in await revealed(tenant)
    assert [(await tenant.record(each))["user"] for each in (*mine, other)] == [None, None, "bob"]
    after = await tenant.call("GET", "/usage/summary")
    counted = ("requests", "total_tokens", "cost_micros")
    assert [after[name] for name in counted] == [before[name] for name in counted]
    # and the same person's next request is known again
    assert (await tenant.record(await ask(tenant, "ana", "again")))["user"] == "ana"


async def test_a_purge_by_date_seals_later_requests_of_the_month_anew(live: Live) -> None:
    tenant = await keeping(live)
    early = await ask(tenant, "cleo", "early-words")
    cut = datetime.now(UTC)
    late = await ask(tenant, "cleo", "late-words")
    # when
    done = await purge(tenant, category="requests", before_date=cut.isoformat())
    # then
    assert done["erased"]["requests"] == 1
    told = await revealed(tenant)
    assert "early-words" not in told
    assert "late-words" in told
    assert [(await tenant.record(each))["user"] for each in (early, late)] == ["cleo", "cleo"]
    assert (await purge(tenant, subject_id="cleo"))["erased"]["requests"] == 2
    assert "late-words" not in await revealed(tenant)


async def test_a_kept_answer_of_an_erased_request_is_not_repeated(live: Live) -> None:
    tenant = await keeping(live)
    key = {"idempotency-key": "once"}
    first = await ask(tenant, "dan", "said-once", **key)
    done = await purge(tenant, subject_id="dan")
    assert done["erased"]["idempotent_answers"] == 1
    again = await tenant.post(
        CHAT,
        json={"model": "auto", "messages": [{"role": "user", "content": "said-once"}]},
        headers={"x-aios-user": "dan", **key},
    )
    assert again.status_code == 409
    assert first not in again.text
