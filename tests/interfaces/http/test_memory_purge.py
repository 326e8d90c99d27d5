"""Purges on the real product: what is erased, what stays, what is refused, and what the certificate says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from infrastructure.erasure.signing import check

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)


async def add(tenant: Any, content: str, **fields: Any) -> dict[str, Any]:
    answer = await tenant.call("POST", "/memory", json={"content": content, "category": "support", **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def purge(tenant: Any, status: int = 200, **fields: Any) -> dict[str, Any]:
    answer = await tenant.call("DELETE", "/memory/purge", json={"reason": "erasure request", **fields})
    assert answer.status_code == status, answer.text
    done: dict[str, Any] = answer.json()
    return done


async def status_of(tenant: Any, made: dict[str, Any]) -> int:
    return int((await tenant.call("GET", f"/memory/{made['id']}")).status_code)


async def test_a_purge_erases_one_person_and_leaves_the_others_as_they_were(product):
    tenant, other = await product.tenant(), await product.tenant()
    anna = [await add(tenant, f"Anna likes tea {n}", subject_id="anna") for n in range(3)]
    ben = await add(tenant, "Ben likes coffee", subject_id="ben")
    elsewhere = await add(other, "Anna of another tenant", subject_id="anna")
    before = (await tenant.call("GET", f"/memory/{ben['id']}")).content
    # when
    done = await purge(tenant, subject_id="anna", legal_basis="GDPR art. 17")
    # then
    assert done["status"] == "completed"
    assert (done["erased"]["memories"], done["erased"]["vectors"]) == (3, 3)
    assert [await status_of(tenant, made) for made in anna] == [404, 404, 404]
    assert (await tenant.call("GET", f"/memory/{ben['id']}")).content == before
    assert await status_of(other, elsewhere) == 200
    found = await tenant.call("POST", "/memory/search", json={"query": "Anna likes tea"})
    assert all("Anna" not in item["content"] for item in found.json()["items"])
    auditor = await tenant.key("auditor")
    gone = await product.call(auditor, "GET", f"/memory/{anna[0]['id']}")
    assert (gone.status_code, gone.json()["purge_id"]) == (410, done["purge_id"])


async def test_the_certificate_is_signed_and_names_nobody(product):
    tenant = await product.tenant()
    await add(tenant, "Cara's canary zanzibar", subject_id="cara-external-id")
    done = await purge(tenant, subject_id="cara-external-id", reason="Request of CARA-external-id, x@y.de")
    url = done["certificate_url"].removeprefix("/api/ai-advanced")
    answer = await tenant.call("GET", url)
    certificate = answer.json()
    assert check(answer.content).ok
    assert b"cara" not in answer.content.lower()
    assert b"x@y.de" not in answer.content
    assert b"zanzibar" not in answer.content
    assert certificate["stores"]["memories"] == {
        "found": 1, "destroyed": 1, "left": 0, "verified": True,
        "rewritten": certificate["stores"]["memories"]["rewritten"],
    }  # fmt: skip
    assert certificate["keys"]["destroyed"] == certificate["keys"]["attempts_to_open"] == 1
    assert certificate["keys"]["opened"] == 0
    assert certificate["log"]["after"]["position"] > certificate["log"]["before"]["position"]
    keys = (await tenant.call("GET", "/audit/keys")).json()["items"]
    assert keys[0]["public_key"] == certificate["public_key"]
    altered = msgspec.json.encode({**certificate, "reason": "another"})
    assert check(altered).problem


async def test_a_purge_by_date_keeps_what_came_later_in_the_same_month(product):
    tenant = await product.tenant()
    month = NOW.replace(year=NOW.year - 1, month=6, day=1, hour=0, minute=0, second=0, microsecond=0)
    old = await add(
        tenant, "Earlier", subject_id="dora", occurred_at=(month - timedelta(days=40)).isoformat()
    )
    early = await add(
        tenant, "Day two", subject_id="dora", occurred_at=(month + timedelta(days=1)).isoformat()
    )
    late = await add(
        tenant, "Day twenty", subject_id="dora", occurred_at=(month + timedelta(days=19)).isoformat()
    )
    before = (await tenant.call("GET", f"/memory/{late['id']}")).json()
    # when
    done = await purge(tenant, before_date=(month + timedelta(days=10)).date().isoformat())
    # then
    assert done["erased"]["memories"] == 2
    assert [await status_of(tenant, each) for each in (old, early, late)] == [404, 404, 200]
    after = (await tenant.call("GET", f"/memory/{late['id']}")).json()
    assert after == before
    certificate = (await tenant.call("GET", f"/memory/purges/{done['purge_id']}/certificate")).json()
    assert certificate["rekeyed"] == {"memories": 1}
    # and a second purge takes the rest
    assert (await purge(tenant, subject_id="dora"))["erased"]["memories"] == 1
    assert await status_of(tenant, late) == 404


async def test_a_person_who_returns_is_remembered_under_a_new_key(product):
    tenant = await product.tenant()
    await add(tenant, "First time", subject_id="eve")
    await purge(tenant, subject_id="eve")
    again = await add(tenant, "Second time", subject_id="eve")
    assert (await tenant.call("GET", f"/memory/{again['id']}")).json()["content"] == "Second time"
    assert (await purge(tenant, subject_id="eve"))["erased"]["memories"] == 1


async def test_a_dry_run_counts_and_erases_nothing(product):
    tenant = await product.tenant()
    for number in range(1, 11):  # each is counted at once, however far the read models are
        made = await add(tenant, f"Still here {number}", subject_id="finn")
        done = await purge(tenant, subject_id="finn", dry_run=True)
        told = (done["status"], done["erased"]["memories"], done["certificate_url"])
        assert told == ("dry_run", number, None)
    assert await status_of(tenant, made) == 200
    assert (await tenant.call("GET", "/memory/purges")).json()["items"] == []


async def test_a_legal_hold_stops_a_purge_until_it_is_released(product):
    tenant = await product.tenant()
    made = await add(tenant, "Evidence", subject_id="gina")
    hold = (
        await tenant.call("POST", "/memory/holds", json={"reason": "lawsuit", "subject_id": "gina"})
    ).json()
    for selector in ({"subject_id": "gina"}, {"category": "support"}, {"before_date": NOW.isoformat()}):
        refused = await purge(tenant, 409, **selector)
        assert hold["hold_id"] in refused["detail"]
    assert await status_of(tenant, made) == 200
    assert (await purge(tenant, subject_id="somebody-else"))["status"] == "completed"
    released = await tenant.call("DELETE", f"/memory/holds/{hold['hold_id']}")
    assert (released.status_code, released.json()["active"]) == (200, False)
    assert (await purge(tenant, subject_id="gina"))["erased"]["memories"] == 1
    [view] = (await tenant.call("GET", "/memory/holds")).json()["items"]
    assert view["released_at"]
    assert "gina" not in msgspec.json.encode(view).decode()


async def test_a_purge_with_approval_waits_for_somebody_else(product):
    tenant = await product.tenant()
    made = await add(tenant, "Wait", subject_id="hal")
    asked = await purge(tenant, 202, subject_id="hal", require_approval=True)
    assert (asked["status"], await status_of(tenant, made)) == ("awaiting_approval", 200)
    path = f"/memory/purges/{asked['purge_id']}/approve"
    assert (await tenant.call("POST", path)).status_code == 403
    second = await tenant.key("admin")
    approved = await product.call(second, "POST", path)
    assert (approved.status_code, approved.json()["status"]) == (200, "completed")
    assert await status_of(tenant, made) == 404
    certificate = (await tenant.call("GET", f"/memory/purges/{asked['purge_id']}/certificate")).json()
    assert certificate["approved_by"] not in {None, certificate["requested_by"]}


BAD = [
    ({"reason": "x"}, ["/subject_id", "/category", "/before_date"]),
    ({"subject_id": "a"}, ["/reason"]),
    ({"reason": "", "subject_id": "a"}, ["/reason"]),
    ({"reason": "x", "subject_id": ""}, ["/subject_id"]),
    ({"reason": "x", "subject_id": 5}, ["/subject_id"]),
    ({"reason": "x", "before_date": "soon"}, ["/before_date"]),
    ({"reason": "x", "before_date": 2024}, ["/before_date"]),
    ({"reason": "x", "before_date": (NOW + timedelta(days=2)).isoformat()}, ["/before_date"]),
    ({"reason": "x", "subject_id": "a", "colour": "red"}, ["/colour"]),
    ({"reason": "x", "subject_id": "a", "dry_run": "yes"}, ["/dry_run"]),
]


@pytest.mark.parametrize(("body", "pointers"), BAD)
async def test_a_purge_that_cannot_be_meant_is_refused_and_nothing_is_erased(product, body, pointers):
    tenant = await product.tenant()
    made = await add(tenant, "Stays", subject_id="a")
    answer = await tenant.call("DELETE", "/memory/purge", json=body)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
    assert await status_of(tenant, made) == 200


async def test_unknown_purges_and_holds_are_404(product):
    tenant = await product.tenant()
    for method, path in (
        ("GET", "/memory/purges/none"),
        ("GET", "/memory/purges/none/certificate"),
        ("POST", "/memory/purges/none/approve"),
        ("DELETE", "/memory/holds/none"),
    ):
        assert (await tenant.call(method, path)).status_code == 404, path


async def test_a_repeated_answer_of_something_erased_is_gone(product):
    tenant = await product.tenant()
    body = {"content": "Said once", "subject_id": "ida", "category": "support"}
    headers = {"idempotency-key": "k-ida"}
    first = await tenant.call("POST", "/memory", json=body, headers=headers)
    assert (await tenant.call("POST", "/memory", json=body, headers=headers)).json() == first.json()
    done = await purge(tenant, subject_id="ida")
    assert done["erased"]["idempotent_answers"] == 1
    again = await tenant.call("POST", "/memory", json=body, headers=headers)
    assert again.status_code == 409
    assert (await tenant.call("GET", "/memory")).json()["items"] == []
