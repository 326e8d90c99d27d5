"""The memory of repeated writes, on a real PostgreSQL with the role that serves requests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from application.idempotency import Answer
from domain.kernel.errors import Corrupt, Unavailable
from infrastructure.database import engines
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.idempotency import PostgresIdempotencyStore

SECRET = b"s" * 32
ANSWER = Answer(201, [(b"content-type", b"application/json")], b'{"api_key":"aios_shown_once"}')


@pytest.fixture
async def answers(database: PostgresEndpoint) -> AsyncIterator[PostgresIdempotencyStore]:
    pool = engines.pool(database.app_dsn, application="test-idempotency")
    await pool.open()
    yield PostgresIdempotencyStore(pool, SECRET)
    await pool.close()


async def take(store: PostgresIdempotencyStore, owner: str, *, tenant: str = "t1", body: bytes = b"1"):
    return await store.begin(tenant, "k", fingerprint=body, owner=owner, command_id=f"cmd-{owner}")


def end_leases(database: PostgresEndpoint, column: str = "lease_until") -> None:
    """Let time pass: leases (or keys) of every tenant are over."""
    with psycopg.connect(database.system_dsn) as connection:
        connection.execute(f"UPDATE idempotency SET {column} = now() - interval '1 second'")


async def test_a_finished_request_answers_the_same_again(answers):
    started = await take(answers, "a")
    await answers.finish("t1", "k", "a", ANSWER)

    repeated = await take(answers, "b")

    assert (started.state, started.command_id) == ("owned", "cmd-a")
    assert (repeated.state, repeated.answer) == ("answered", ANSWER)


async def test_another_body_is_told_apart_from_a_running_duplicate(answers):
    await take(answers, "a", body=b"1")

    assert (await take(answers, "b", body=b"1")).state == "running"
    assert (await take(answers, "c", body=b"2")).state == "other"


async def test_tenants_do_not_share_keys(answers):
    await take(answers, "a", tenant="t1")
    await answers.finish("t1", "k", "a", ANSWER)

    other = await take(answers, "b", tenant="t2", body=b"2")

    assert (other.state, other.command_id) == ("owned", "cmd-b")


async def test_a_request_whose_owner_died_runs_again_under_its_first_command_id(answers, database):
    await take(answers, "dead")
    end_leases(database)

    again = await take(answers, "heir")
    late = await take(answers, "third")
    await answers.finish("t1", "k", "dead", Answer(500, [], b"too late"))

    assert (again.state, again.command_id) == ("owned", "cmd-dead")
    assert late.state == "running"
    assert (await take(answers, "fourth")).state == "running"


async def test_a_renewed_lease_holds_and_a_released_one_does_not(answers, database):
    await take(answers, "a")
    end_leases(database)
    await answers.renew("t1", "k", "a")
    assert (await take(answers, "b")).state == "running"

    await answers.release("t1", "k", "a")

    assert (await take(answers, "c")).command_id == "cmd-a"


async def test_an_expired_key_is_new_whatever_it_stood_for(answers, database):
    await take(answers, "a")
    await answers.finish("t1", "k", "a", ANSWER)
    end_leases(database, "expires_at")

    fresh = await take(answers, "b", body=b"2")

    assert (fresh.state, fresh.command_id) == ("owned", "cmd-b")


async def test_finishing_forgets_expired_keys_of_the_tenant(answers, database):
    for number in range(3):
        await answers.begin("t1", f"old{number}", fingerprint=b"1", owner="a", command_id="c")
    end_leases(database, "expires_at")
    await take(answers, "b")

    await answers.finish("t1", "k", "b", ANSWER)

    with psycopg.connect(database.system_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM idempotency").fetchone() == (1,)


async def test_answers_lie_sealed_and_open_only_under_their_own_key(answers, database):
    await take(answers, "a")
    await answers.finish("t1", "k", "a", ANSWER)
    with psycopg.connect(database.system_dsn) as connection:
        stored = connection.execute("SELECT answer FROM idempotency").fetchone()
        assert stored is not None
        assert b"aios_shown_once" not in bytes(stored[0])
        connection.execute("UPDATE idempotency SET tenant = 't2'")

    with pytest.raises(Corrupt):
        await take(answers, "b", tenant="t2")


async def test_a_database_that_does_not_answer_is_an_unavailable_component():
    pool = engines.pool("postgresql://nobody@127.0.0.1:1/none")
    store = PostgresIdempotencyStore(pool, SECRET)

    with pytest.raises(Unavailable) as refused:
        await take(store, "a")

    assert refused.value.component == "database"
