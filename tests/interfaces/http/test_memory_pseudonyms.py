"""Pseudonyms in memories on the real product: turned back, kept, exported, held, and gone with the memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from application.memory.pii import PseudonymOwner, ScrubRules
from domain.kernel.pii import ScrubMode

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAIL, PHONE = "nora@example.org", "+44 20 7946 0958"
REVERSIBLE = ScrubRules(mode=ScrubMode.PSEUDONYM)
MONTH = datetime.now(UTC).replace(
    year=datetime.now(UTC).year - 1, month=6, day=1, hour=0, minute=0, second=0, microsecond=0
)


@pytest_asyncio.fixture(loop_scope="module")
async def tenant(product: Any) -> Any:
    made = await product.tenant()
    policy = {"category": "support", "pii_scrubbing": True, "pii_mode": "pseudonym"}
    assert (await made.call("POST", "/memory/policy", json=policy)).status_code in {200, 201}
    return made


async def add(tenant: Any, content: str, **fields: Any) -> dict[str, Any]:
    body = {"content": content, "category": "support", "subject_id": "nora", **fields}
    answer = await tenant.call("POST", "/memory", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def reveal(tenant: Any, text: str) -> tuple[str, int, int, int]:
    answer = await tenant.call("POST", "/pii/reveal", json={"text": text, "purpose": "a complaint"})
    assert answer.status_code == 200, answer.text
    back = answer.json()
    return back["text"], back["revealed"], back["erased"], back["unknown"]


async def purge(tenant: Any, status: int = 200, **fields: Any) -> Any:
    answer = await tenant.call("DELETE", "/memory/purge", json={"reason": "request", **fields})
    assert answer.status_code == status, answer.text
    return answer.json()


def day(number: int) -> str:
    return (MONTH + timedelta(days=number - 1)).isoformat()


async def test_what_a_memory_hides_comes_back_for_an_administrator(tenant):
    made = await add(tenant, f"Write to {MAIL}", metadata={"call": PHONE})
    read = (await tenant.call("GET", f"/memory/{made['id']}")).json()
    assert MAIL not in msgspec.json.encode(read).decode()
    assert PHONE not in msgspec.json.encode(read).decode()

    assert await reveal(tenant, read["content"]) == (f"Write to {MAIL}", 1, 0, 0)
    assert await reveal(tenant, read["metadata"]["call"]) == (PHONE, 1, 0, 0)


async def test_an_edit_takes_an_original_out_for_good(tenant):
    made = await add(tenant, f"Write to {MAIL} or {PHONE}")
    new = f"Call {made['content'].rsplit(' or ', 1)[1]}"
    edited = await tenant.call("PATCH", f"/memory/{made['id']}", json={"content": new})
    assert edited.status_code == 200, edited.text

    assert await reveal(tenant, edited.json()["content"]) == (f"Call {PHONE}", 1, 0, 0)
    text, revealed, *_ = await reveal(tenant, made["content"])
    assert revealed == 1
    assert MAIL not in text


async def test_a_purge_of_the_memory_takes_its_originals_along(product, tenant):
    gone = await add(tenant, f"Write to {MAIL}")
    stays = await add(tenant, f"Write to {MAIL}", subject_id="olaf")
    assert gone["content"] != stays["content"]

    done = await purge(tenant, subject_id="nora")

    assert done["status"] == "completed"
    assert await reveal(tenant, gone["content"]) == (gone["content"], 0, 1, 0)
    assert await reveal(tenant, stays["content"]) == (f"Write to {MAIL}", 1, 0, 0)
    assert await originals_in_log(product, gone["id"]) == []


async def test_a_memory_of_another_month_is_sealed_and_made_with_the_key_of_that_month(product, tenant):
    """A purge by date must reach the originals of what was written later about that time."""
    old = await add(tenant, f"Write to {MAIL}", occurred_at=day(3))
    new = await add(tenant, f"Write to {MAIL}")
    assert old["content"] != new["content"]
    keyring = product.api.runtime.keyring
    owner = PseudonymOwner(tenant.name, keyring.subject_reference(tenant.name, "nora"), "support", MONTH)
    before = await product.api.pii.scrubbing.keyed(REVERSIBLE, owner)

    await purge(tenant, before_date=(MONTH + timedelta(days=40)).date().isoformat())

    assert await reveal(tenant, old["content"]) == (old["content"], 0, 1, 0)
    assert await reveal(tenant, new["content"]) == (f"Write to {MAIL}", 1, 0, 0)
    after = await product.api.pii.scrubbing.keyed(REVERSIBLE, owner)
    assert before(b"x") != after(b"x")


async def test_a_purge_inside_a_month_keeps_the_originals_of_what_stays(product, tenant):
    early = await add(tenant, f"Write to {MAIL}", occurred_at=day(2))
    late = await add(tenant, f"Ring {PHONE}, write to {MAIL}", occurred_at=day(20))
    token = early["content"].removeprefix("Write to ")
    assert token in late["content"]

    done = await purge(tenant, before_date=day(10))

    assert done["erased"]["memories"] == 1
    assert await reveal(tenant, late["content"]) == (f"Ring {PHONE}, write to {MAIL}", 2, 0, 0)
    assert await originals_in_log(product, early["id"]) == []
    await purge(tenant, subject_id="nora")
    assert (await reveal(tenant, late["content"]))[1:] == (0, 2, 0)


async def test_a_purge_inside_a_month_keeps_scrubbed_texts_of_its_rest(product, tenant):
    """Originals of `POST /pii/scrub` hang on the same data key as memories of that month."""
    await add(tenant, f"Write to {MAIL}", occurred_at=(datetime.now(UTC) - timedelta(seconds=2)).isoformat())
    before = datetime.now(UTC).isoformat()
    body = {"text": f"Ring {PHONE}", "mode": "pseudonym", "subject_id": "nora", "category": "support"}
    clean = (await tenant.call("POST", "/pii/scrub", json=body)).json()["text"]

    done = await purge(tenant, before_date=before)

    certificate = (await tenant.call("GET", f"/memory/purges/{done['purge_id']}/certificate")).json()
    assert (done["erased"]["memories"], done["erased"]["pseudonyms"]) == (1, 0)
    assert certificate["rekeyed"] == {"pseudonyms": 1}
    assert await reveal(tenant, clean) == (f"Ring {PHONE}", 1, 0, 0)

    done = await purge(tenant, subject_id="nora")
    assert done["erased"]["pseudonyms"] == 1
    assert await reveal(tenant, clean) == (clean, 0, 1, 0)
    again = await purge(tenant, subject_id="nora")
    assert again["erased"]["pseudonyms"] == 0


async def test_a_deleted_memory_and_one_that_has_ended_reveal_nothing(tenant):
    deleted = await add(tenant, f"Write to {MAIL}")
    ended = await add(tenant, f"Ring {PHONE}", ttl_days=0)
    assert (await reveal(tenant, deleted["content"]))[1:] == (1, 0, 0)

    await tenant.call("DELETE", f"/memory/{deleted['id']}")

    assert (await reveal(tenant, deleted["content"]))[1:] == (0, 1, 0)
    assert (await reveal(tenant, ended["content"]))[1:] == (0, 1, 0)


async def test_a_legal_hold_keeps_the_originals_too(tenant):
    made = await add(tenant, f"Write to {MAIL}")
    hold = (await tenant.call("POST", "/memory/holds", json={"reason": "suit", "subject_id": "nora"})).json()

    await purge(tenant, 409, subject_id="nora")

    assert await reveal(tenant, made["content"]) == (f"Write to {MAIL}", 1, 0, 0)
    await tenant.call("DELETE", f"/memory/holds/{hold['hold_id']}")
    await purge(tenant, subject_id="nora")
    assert await reveal(tenant, made["content"]) == (made["content"], 0, 1, 0)


async def test_an_export_tells_originals_to_who_may_turn_them_back(product, tenant):
    made = await add(tenant, f"Write to {MAIL}")
    await add(tenant, f"Ring {PHONE}", subject_id="olaf")
    token = made["content"].removeprefix("Write to ")
    auditor = await tenant.key("auditor")

    whole = (await tenant.call("POST", "/memory/export", json={"subject_id": "nora"})).json()
    seen = await product.call(auditor, "POST", "/memory/export", json={"subject_id": "nora"})

    assert whole["pseudonyms"] == [{"token": token, "original": MAIL, "source": f"memory/{made['id']}"}]
    assert [item["content"] for item in whole["memories"]] == [made["content"]]
    assert "pseudonyms" not in seen.json()
    assert MAIL not in seen.text
    assert PHONE not in msgspec.json.encode(whole).decode()
    await purge(tenant, subject_id="nora")
    empty = (await tenant.call("POST", "/memory/export", json={"subject_id": "nora"})).json()
    assert (empty["memories"], empty["pseudonyms"]) == ([], [])


async def test_another_tenant_turns_nothing_back(product, tenant):
    made = await add(tenant, f"Write to {MAIL}")
    assert (await reveal(await product.tenant(), made["content"]))[1:] == (0, 0, 1)


async def originals_in_log(product: Any, memory_id: str) -> list[dict[str, str]]:
    """Return the maps of a memory's events that any reader of the log can still open."""
    found = []
    async for envelope in product.api.runtime.log.read(types=["memory.added", "memory.updated"]):
        if envelope.event.memory_id == memory_id:
            pseudonyms = getattr(envelope.event.details, "pseudonyms", None)
            found += [pseudonyms] if pseudonyms else []
    return found
