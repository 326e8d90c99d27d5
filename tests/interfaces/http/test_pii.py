"""Personal data in texts on the real product: found, taken out, turned back by those who may, erased."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Ann (ann@example.org) rang from +44 20 7946 0958."


async def scrubbed(tenant: Any, **body: Any) -> Any:
    answer = await tenant.call("POST", "/pii/scrub", json={"text": TEXT, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def revealed(tenant: Any, text: str) -> Any:
    body = {"text": text, "purpose": "complaint 12 of the customer"}
    answer = await tenant.call("POST", "/pii/reveal", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_personal_data_is_found_with_its_place(product):
    tenant = await product.tenant()

    answer = await tenant.call("POST", "/pii/detect", json={"text": TEXT})

    found = answer.json()
    assert answer.status_code == 200
    assert found["counts"] == {"EMAIL": 1, "PHONE": 1}
    assert [TEXT[span["start"] : span["end"]] for span in found["spans"]] == [
        "ann@example.org",
        "+44 20 7946 0958",
    ]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("redact", "Ann ([REDACTED]) rang from [REDACTED]."),
        ("placeholder", "Ann ([EMAIL]) rang from [PHONE]."),
    ],
)
async def test_texts_are_scrubbed_and_nothing_is_stored(product, mode, expected):
    tenant = await product.tenant()

    clean = await scrubbed(tenant, mode=mode)

    assert (clean["text"], clean["position"]) == (expected, 0)


async def test_pseudonyms_come_back_for_an_administrator_and_that_is_recorded(product):
    tenant = await product.tenant()
    clean = await scrubbed(tenant, mode="pseudonym", subject_id="ann")
    again = await scrubbed(tenant, mode="pseudonym", subject_id="ann")
    other = await scrubbed(tenant, mode="pseudonym", subject_id="bob")

    back = await revealed(tenant, f"{clean['text']} [EMAIL:{'a' * 20}]")
    audit = (await tenant.call("GET", "/audit/events", params={"type": "memory.*"})).text

    assert "ann@example.org" not in clean["text"]
    assert clean["text"] == again["text"] != other["text"]
    assert back["text"].startswith(TEXT)
    assert (back["revealed"], back["erased"], back["unknown"]) == (2, 0, 1)
    assert "memory.pseudonyms_revealed" in audit
    assert "complaint 12" in audit
    assert "ann@example.org" not in audit


async def test_another_tenant_can_turn_nothing_back(product):
    one, other = await product.tenant(), await product.tenant()
    clean = await scrubbed(one, mode="pseudonym", subject_id="ann")

    assert (await revealed(other, clean["text"]))["unknown"] == 2


async def test_erasing_the_subjects_key_makes_pseudonyms_irreversible(product):
    tenant = await product.tenant()
    clean = await scrubbed(tenant, mode="pseudonym", subject_id="ann")
    keyring = product.api.runtime.keyring

    reference = keyring.subject_reference(tenant.name, "ann")
    shredder = product.api.runtime.shredder
    assert await shredder.destroy_subjects(tenant.name, [reference], "general") == 1

    back = await revealed(tenant, clean["text"])
    assert (back["text"], back["erased"]) == (clean["text"], 2)
    assert (await scrubbed(tenant, mode="pseudonym", subject_id="ann"))["text"] != clean["text"]


async def test_no_answer_with_originals_is_kept_for_a_repeated_key(product):
    tenant = await product.tenant()
    clean = await scrubbed(tenant, mode="pseudonym", subject_id="ann")
    runtime = product.api.runtime
    asked = {
        "json": {"text": clean["text"], "purpose": "complaint 13"},
        "headers": {"idempotency-key": "again"},
    }
    assert (await tenant.call("POST", "/pii/reveal", **asked)).json()["revealed"] == 2

    reference = runtime.keyring.subject_reference(tenant.name, "ann")
    await runtime.shredder.destroy_subjects(tenant.name, [reference], "general")

    assert (await tenant.call("POST", "/pii/reveal", **asked)).json()["revealed"] == 0


async def test_only_administrators_turn_pseudonyms_back(product):
    tenant = await product.tenant()
    for role in ("service", "operator", "auditor"):
        key = await tenant.key(role)
        body = {"text": "x", "purpose": "curiosity"}
        answer = await product.call(key, "POST", "/pii/reveal", json=body)
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/pii/detect", {"text": "x", "entities": ["EMAIL", "SHOE_SIZE"]}, "/entities/1"),
        ("/pii/detect", {"text": 1}, "/text"),
        ("/pii/detect", {"text": "x" * 200_001}, "/text"),
        ("/pii/scrub", {"text": "x", "mode": "blur"}, "/mode"),
        ("/pii/scrub", {"text": "x", "mode": "pseudonym"}, "/subject_id"),
        ("/pii/scrub", {"text": "x", "colour": 1}, "/colour"),
        ("/pii/reveal", {"text": "x"}, "/purpose"),
    ],
)
async def test_unusable_input_is_named(product, path, body, pointer):
    tenant = await product.tenant()

    answer = await tenant.call("POST", path, json=body)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_policy_names_its_kinds_and_modes(product):
    tenant = await product.tenant()
    pii = {"prompts": "pseudonym", "answers": "redact", "entities": ["EMAIL", "IBAN"], "restore": True}

    made = await tenant.call("POST", "/model-policy/set", json={"rules": [], "pii": pii})
    read = (await tenant.call("GET", "/model-policy")).json()
    history = (await tenant.call("GET", "/model-policy/history")).json()

    assert made.status_code == 200, made.text
    assert made.json()["pii"] == read["pii"] == pii
    assert {"path": "/pii", "old": None, "new": pii} in history["items"][0]["diff"]


@pytest.mark.parametrize(
    ("pii", "pointer"),
    [
        ({"prompts": "shred"}, "/pii/prompts"),
        ({"prompts": "redact", "entities": ["NAME_OF_DOG"]}, "/pii/entities/0"),
        ({"prompts": "redact", "entities": []}, "/pii/entities"),
        ({"prompts": "redact", "restore": True}, "/pii/restore"),
        ({"prompt": "redact"}, "/pii/prompt"),
    ],
)
async def test_a_policy_that_makes_no_sense_is_refused(product, pii, pointer):
    tenant = await product.tenant()

    answer = await tenant.call("POST", "/model-policy/set", json={"rules": [], "pii": pii})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
