"""Personal fields: sealed in the log, opened for readers, erased with their key, and bound to their place."""

from __future__ import annotations

import psycopg

from application.ports import AppendRequest, NewEvent
from domain.kernel.events import UnknownEvent
from domain.kernel.personal import Erased
from tests.event_store import EventStore, PersonNoted


async def note(store: EventStore, number: int, subject: str, text: str) -> None:
    event = PersonNoted(subject=subject, text=text)
    await store.log.append(
        AppendRequest("t1", f"n{number}", (NewEvent(f"t1/note/{number}", event),), actor="key/test")
    )


async def texts(store: EventStore) -> list[object]:
    return [e.event.text for e in (await store.reader.read_batch(0, 100)).events]


async def test_the_stored_bytes_hold_no_personal_text(store: EventStore) -> None:
    await note(store, 1, "s1", "canary-4711")
    with psycopg.connect(store.endpoint.admin_dsn) as conn:
        [(data, key_ids)] = conn.execute("SELECT data, key_ids FROM events").fetchall()
    assert b"canary-4711" not in bytes(data)
    assert len(key_ids) == 1
    assert await texts(store) == ["canary-4711"]


async def test_destroying_a_key_erases_its_subject_and_nobody_else(store: EventStore) -> None:
    await note(store, 1, "s1", "one")
    await note(store, 2, "s2", "two")
    await note(store, 3, "s1", "three")
    with psycopg.connect(store.endpoint.keyring_dsn) as conn:
        kids = [k for (k,) in conn.execute("SELECT kid FROM data_keys WHERE subject = 's1'").fetchall()]
    assert await store.keyring.destroy("t1", kids) == 1
    assert await texts(store) == [Erased(key_id=kids[0]), "two", Erased(key_id=kids[0])]


async def test_an_old_copy_of_the_keyring_opens_nothing_after_an_erasure(store: EventStore) -> None:
    await note(store, 1, "s1", "one")
    await note(store, 2, "s2", "two")
    with psycopg.connect(store.endpoint.keyring_dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE old_copy AS SELECT * FROM data_keys")
        kids = [k for (k,) in conn.execute("SELECT kid FROM data_keys WHERE subject = 's1'").fetchall()]
        await store.keyring.destroy("t1", kids)
        versions = {v for (v,) in conn.execute("SELECT DISTINCT kek_version FROM old_copy").fetchall()}
        kept = {v for (v,) in conn.execute("SELECT DISTINCT kek_version FROM data_keys").fetchall()}
    assert versions.isdisjoint(kept)
    assert set(store.kms.content()["t1"]) == kept


async def test_a_ciphertext_moved_to_another_event_does_not_open(store: EventStore) -> None:
    await note(store, 1, "s1", "one")
    await note(store, 2, "s1", "two")
    with psycopg.connect(store.endpoint.admin_dsn) as conn:
        conn.execute("ALTER TABLE events DISABLE TRIGGER append_only")
        conn.execute(
            "UPDATE events SET data = (SELECT data FROM events WHERE position = 1) WHERE position = 2"
        )
    first, second = (await store.reader.read_batch(0, 10)).events
    assert first.event.text == "one"
    assert isinstance(second.event, UnknownEvent)
    assert "does not open" in second.event.problem


async def test_a_subject_that_returns_gets_a_new_key(store: EventStore) -> None:
    await note(store, 1, "s1", "one")
    with psycopg.connect(store.endpoint.keyring_dsn) as conn:
        [(kid,)] = conn.execute("SELECT kid FROM data_keys WHERE subject = 's1'").fetchall()
    await store.keyring.destroy("t1", [kid])
    await note(store, 2, "s1", "back again")
    assert await texts(store) == [Erased(key_id=kid), "back again"]
