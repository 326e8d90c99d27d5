"""Projections that had nothing to do move on together."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from projections.generations import active_generation, install
from projections.idle import IdleAdvance
from projections.leases import Lease, LostLease, acquire
from projections.projection import Projection
from tests.projections.conftest import Engines

SEVERAL = [Projection(f"p{number}", 1, (), {}) for number in range(4)]


async def leases(engines: Engines) -> list[Lease]:
    await install(engines.owner, SEVERAL)
    found = []
    for projection in SEVERAL:
        async with engines.system.connect() as conn:
            active = await active_generation(conn, projection.name)
        lease = await acquire(engines.system, active, "test") if active else None
        assert lease
        found.append(lease)
    return found


async def test_all_move_in_one_transaction(engines: Engines) -> None:
    # given
    held, idle = await leases(engines), IdleAdvance(engines.system)
    # when
    await asyncio.gather(*(idle.advance(lease, 0, 7) for lease in held))
    # then
    [(position, transactions)] = await engines.rows(
        "SELECT min(position), count(DISTINCT xmin::text) FROM projection_checkpoints WHERE projection ~ '^p'"
    )
    assert (position, transactions) == (7, 1)


async def test_who_lost_its_lease_is_told_and_the_others_move(engines: Engines) -> None:
    # given one of four whose lease passed to another
    held, idle = await leases(engines), IdleAdvance(engines.system)
    async with engines.owner.begin() as conn:
        await conn.execute(
            text("UPDATE projection_checkpoints SET fencing = fencing + 1 WHERE projection = 'p2'")
        )
    # when
    outcomes = await asyncio.gather(*(idle.advance(lease, 0, 7) for lease in held), return_exceptions=True)
    # then
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), LostLease, type(None)]
    assert await engines.rows("SELECT position FROM projection_checkpoints WHERE projection = 'p2'") == [(0,)]


async def test_a_failing_database_reaches_everyone_who_waits(engines: Engines) -> None:
    # given
    held, idle = await leases(engines), IdleAdvance(engines.system)
    async with engines.owner.begin() as conn:
        await conn.execute(text("REVOKE UPDATE ON projection_checkpoints FROM aios_system"))
    # when
    for advance in [asyncio.ensure_future(idle.advance(lease, 0, 7)) for lease in held]:
        # then
        with pytest.raises(Exception, match="permission denied"):
            await advance
