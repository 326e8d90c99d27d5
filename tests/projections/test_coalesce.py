"""A batch of row operations has the effect of the same operations one by one, in fewer statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from projections.apply import apply_ops
from projections.coalesce import BadOp, coalesce
from projections.generations import create_generation
from projections.ops import Add, Delete, Insert, RowOp, Update, Upsert
from projections.projection import Projection
from projections.tables import tenant_key
from tests.projections.conftest import Engines

_METADATA = MetaData()
things = Table(
    "things",
    _METADATA,
    tenant_key(),
    Column("thing", Text, primary_key=True),
    Column("colour", Text),
    Column("shade", Text),
    Column("seen", BigInteger, nullable=False, server_default="0"),
    Column("raw", LargeBinary),
    Column("tags", ARRAY(Text)),
    Column("facts", JSONB),
)
THINGS = Projection("things", 1, (things,), {})

names = st.sampled_from("abc")
colours = st.sampled_from(["red", "blue"])


def row(name: str, **values: Any) -> dict[str, Any]:
    return {"tenant": "t1", "thing": name, **values}


ops = st.one_of(
    st.builds(lambda n, c: Upsert(things, row(n, colour=c)), names, colours),
    st.builds(lambda n, c: Upsert(things, row(n, shade=c)), names, colours),
    st.builds(lambda n, c: Upsert(things, row(n, shade=None, colour=c)), names, colours),
    st.builds(lambda n, k: Add(things, [("t1", n)], {"seen": k}), names, st.integers(1, 9)),
    st.builds(lambda k: Add(things, [("t1", n) for n in "ab"], {"seen": k}), st.integers(1, 9)),
    st.builds(lambda n, c: Update(things, row(n), {"colour": c}), names, colours),
    st.builds(lambda a, b: Update(things, {"shade": a}, {"colour": b}), colours, colours),
    st.builds(lambda n: Delete(things, row(n)), names),
    st.builds(lambda c: Delete(things, {"colour": c}), colours),
)


async def contents(engines: Engines, generation: int) -> list[tuple[Any, ...]]:
    return await engines.rows(f"SELECT * FROM things_v1_g{generation} ORDER BY thing")


async def two_copies(engines: Engines) -> None:
    async with engines.owner.begin() as conn:
        await create_generation(conn, THINGS)
        await create_generation(conn, THINGS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(ops, max_size=25))
async def test_a_batch_has_the_effect_of_its_operations_one_by_one(
    engines: Engines, batch: Sequence[RowOp]
) -> None:
    # given two empty copies of a table
    if not await engines.rows("SELECT FROM projection_generations"):
        await two_copies(engines)
    async with engines.system.begin() as conn:
        await conn.execute(text("DELETE FROM things_v1_g1"))
        await conn.execute(text("DELETE FROM things_v1_g2"))
        # when
        for op in batch:
            await apply_ops(conn, [op], 1, 1)
        await apply_ops(conn, batch, 1, 2)
    # then
    assert await contents(engines, 1) == await contents(engines, 2)


def test_operations_on_different_rows_share_a_statement() -> None:
    # given what many events of the same kinds yield
    batch: list[RowOp] = []
    for number in range(100):
        batch.append(Insert(things, row(f"n{number}", colour="red")))
        batch.append(Update(things, row(f"n{number - 1}"), {"shade": "dark"}))
        batch.append(Add(things, [("t1", f"n{number}")], {"seen": 1}))
    # when
    runs = coalesce(batch)
    # then
    assert [run.shape.kind for run in runs] == [Insert, Update, Add, Update]


async def test_values_of_every_kind_arrive_as_they_are(engines: Engines) -> None:
    # given
    await two_copies(engines)
    values = {
        "colour": "nul\0 and \\u0000",
        "raw": b"\x00\xff",
        "tags": ["a", 'quo"te', "{}"],
        "facts": {"deep": [1, None, {"x": "é"}]},
    }
    # when
    async with engines.system.begin() as conn:
        await apply_ops(conn, [Insert(things, row("a", **values))], 1, 1)
        await apply_ops(conn, [Update(things, {"raw": b"\x00\xff"}, {"shade": "found"})], 1, 1)
    # then
    [found] = await engines.rows("SELECT colour, raw, tags, facts, shade FROM things_v1_g1")
    assert found == ("nul\ufffd and \\u0000", b"\x00\xff", ["a", 'quo"te', "{}"], values["facts"], "found")


@pytest.mark.parametrize(
    ("op", "complaint"),
    [
        (Insert(things, {"tenant": "t1"}), "whole primary key"),
        (Upsert(things, row("a", color="red")), "no column color"),
        (Update(things, {"thing": None}, {"shade": "x"}), "NULL"),
        (Update(things, {"shade": "x"}, {"shade": "y"}), "cannot change"),
        (Delete(things, {}), "addresses rows"),
        (Add(things, [("t1",)], {"seen": 1}), "does not name a row"),
        ("nonsense", "no row operation"),
    ],
)
def test_an_operation_that_fits_no_table_is_refused(op: Any, complaint: str) -> None:
    with pytest.raises(BadOp, match=complaint):
        coalesce([op])


def test_a_second_insert_of_one_key_is_refused() -> None:
    with pytest.raises(BadOp, match="second insert"):
        coalesce([Insert(things, row("a")), Insert(things, row("a"))])
