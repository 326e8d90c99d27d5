"""Personal fields: sealed in the log, opened for readers, erased with their key, and bound to their place."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from application.ports import AppendRequest, NewEvent
from domain.kernel.events import UnknownEvent
from domain.kernel.personal import Erased
from infrastructure.event_store.codec import NONCE_BYTES, Nonces
from infrastructure.keyring import wrapping
from infrastructure.keyring.watch import KeyWatch
from tests.event_store import EventStore, PersonNoted, open_store


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
    assert (await store.shredder.destroy("t1", kids)).destroyed == 1
    assert await texts(store) == [Erased(key_id=kids[0]), "two", Erased(key_id=kids[0])]


async def test_an_old_copy_of_the_keyring_opens_nothing_after_an_erasure(store: EventStore) -> None:
    await note(store, 1, "s1", "one")
    await note(store, 2, "s2", "two")
    with psycopg.connect(store.endpoint.keyring_dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE old_keys AS SELECT * FROM data_keys")
        conn.execute("CREATE TABLE old_shards AS SELECT * FROM shard_keys")
        kids = [k for (k,) in conn.execute("SELECT kid FROM data_keys WHERE subject = 's1'").fetchall()]
        # when
        done = await store.shredder.destroy("t1", kids)
        # then no wrapping key of the copy is left, and the attempt says so
        old = {v for (v,) in conn.execute("SELECT DISTINCT kek_version FROM old_shards").fetchall()}
        kept = {v for (v,) in conn.execute("SELECT DISTINCT kek_version FROM shard_keys").fetchall()}
        assert old.isdisjoint(kept)
        assert set(store.kms.versions("t1")) == kept
        assert (done.destroyed, done.opened_after) == (1, 0)
        # and when the copy comes back, nothing opens and nothing fails
        conn.execute("TRUNCATE data_keys, shard_keys")
        conn.execute("INSERT INTO data_keys SELECT * FROM old_keys")
        conn.execute("INSERT INTO shard_keys SELECT * FROM old_shards")
    store.keyring.forget()
    assert all(isinstance(text, Erased) for text in await texts(store))
    await note(store, 3, "s2", "three")
    assert (await texts(store))[2] == "three"


async def test_a_retired_key_opens_but_seals_nothing_more(store: EventStore) -> None:
    await note(store, 1, "s1", "one")
    with psycopg.connect(store.endpoint.keyring_dsn) as conn:
        [(kid,)] = conn.execute("SELECT kid FROM data_keys WHERE subject = 's1'").fetchall()
    closed = await store.shredder.retire("t1", "p1", [kid])
    await note(store, 2, "s1", "two")
    assert closed == 1
    assert await texts(store) == ["one", "two"]
    await store.shredder.destroy("t1", [kid])
    assert await texts(store) == [Erased(key_id=kid), "two"]


async def test_a_destroyed_key_is_forgotten_by_other_processes_at_once(
    store: EventStore, tmp_path: Path
) -> None:
    # given another process that has just opened and used the key
    async with open_store(store.endpoint, tmp_path / "keys") as other:
        await note(store, 1, "s1", "one")
        await note(other, 2, "s1", "two")
        assert await texts(other) == ["one", "two"]
        with psycopg.connect(store.endpoint.keyring_dsn) as conn:
            [(kid,)] = conn.execute("SELECT kid FROM data_keys").fetchall()
        # when this one destroys it
        await store.shredder.destroy("t1", [kid])
        # then the other one opens nothing with it, in batches or streams, and seals with a new one
        assert await texts(other) == [Erased(key_id=kid), Erased(key_id=kid)]
        [event] = [e async for e in other.log.read_stream("t1/note/1")]
        assert isinstance(event.event.text, Erased)
        await note(other, 3, "s1", "three")
        assert (await texts(store))[2] == "three"


async def test_an_idle_process_forgets_destroyed_keys_too(store: EventStore) -> None:
    watch = KeyWatch(store.endpoint.keyring_dsn, store.keyring)
    await watch.start()
    try:
        await note(store, 1, "s1", "one")
        assert await texts(store) == ["one"]
        with psycopg.connect(store.endpoint.keyring_dsn, autocommit=True) as conn:
            [(kid,)] = conn.execute("SELECT kid FROM data_keys").fetchall()
            conn.execute("NOTIFY aios_keys")
        for _ in range(1000):
            if store.keyring.opening_key(kid) is None:
                break
            await asyncio.sleep(0.01)
        assert store.keyring.opening_key(kid) is None
    finally:
        await watch.close()


async def test_keys_of_an_earlier_version_move_into_shards(store: EventStore) -> None:
    # given a keyring as the version before had it: data keys wrapped by the tenant's key
    plain, kek = b"k" * 32, store.kms.current("t1")
    with psycopg.connect(store.endpoint.keyring_dsn, autocommit=True) as conn:
        conn.execute("DROP TABLE data_keys, shard_keys, destroyed_keys")
        conn.execute(
            "CREATE TABLE data_keys (kid text PRIMARY KEY, tenant text NOT NULL, subject text NOT NULL, "
            "category text NOT NULL, bucket text NOT NULL, kek_version integer NOT NULL, "
            "wrapped bytea NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), "
            "UNIQUE (tenant, subject, category, bucket))"
        )
        conn.execute(
            "INSERT INTO data_keys VALUES ('k_old', 't1', 's1', 'notes', '2026-01', %s, %s)",
            [kek.version, wrapping.sealed(kek.key, plain, "k_old")],
        )
    # when
    await store.keyring.prepare()
    # then
    await store.keyring.fetch(["k_old"])
    key = store.keyring.opening_key("k_old")
    assert key is not None
    assert key.aead.decrypt(b"n" * 12, AESGCM(plain).encrypt(b"n" * 12, b"text", None), None) == b"text"


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
    await store.shredder.destroy("t1", [kid])
    await note(store, 2, "s1", "back again")
    assert await texts(store) == [Erased(key_id=kid), "back again"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_nonces_never_come_twice_not_even_from_threads_or_a_forked_process() -> None:
    # given
    nonces = Nonces()
    # when
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda _: [nonces.next() for _ in range(2000)], range(8))
        drawn = [nonce for part in parts for nonce in part]
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, nonces.next())
        os._exit(0)
    os.waitpid(child, 0)
    drawn += [nonces.next(), os.read(read, NONCE_BYTES)]
    # then
    assert {len(nonce) for nonce in drawn} == {NONCE_BYTES}
    assert len(set(drawn)) == len(drawn) == 16_002
