"""The logical tables of every read model; physical copies carry a version and generation behind a view.

A context declares its tables on METADATA; queries select from these logical tables, which are views. Every
table that holds a tenant's data starts its primary key with a `tenant` column and is guarded by row-level
security; a table that holds no tenant's data says `info={"scope": "platform"}`. One that is rewritten piece
by piece says `postgresql_partition_by="HASH (tenant)"` and `info={"hash_partitions": N}`.
"""

from __future__ import annotations

import re
from functools import cache

from sqlalchemy import Column, MetaData, Table, Text

METADATA = MetaData()
PERSONAL = {"personal": True}
"""The `info` of a column that holds personal data: its values stay out of the planner's statistics."""

LONGEST_NAME = 40
_COPY = re.compile(r"_v[0-9]+_g[0-9]+(?=_|$)")


def tenant_key() -> Column[str]:
    """Return the `tenant` column that every tenant table starts its primary key with."""
    return Column("tenant", Text, primary_key=True)


def physical_name(table: str, version: int, generation: int) -> str:
    """Return the name of a generation's copy of a logical table: `usage_requests_v1_g3`."""
    return f"{table}_v{version}_g{generation}"


def logical_name(physical: str) -> str:
    """Return the name of a table, index or constraint without its version and generation."""
    return _COPY.sub("", physical)


@cache
def key_columns(table: Table) -> tuple[str, ...]:
    """Return the names of the primary key's columns, in order."""
    return tuple(column.name for column in table.primary_key.columns)


def check_table(table: Table) -> None:
    """Raise ValueError for a table that the projections' rules do not allow."""
    if len(table.name) > LONGEST_NAME:
        raise ValueError(f"table '{table.name}' is longer than {LONGEST_NAME} characters; shorten it")
    if not table.primary_key.columns:
        raise ValueError(f"table '{table.name}' needs a primary key")
    if table.info.get("scope") == "platform":
        return
    if key_columns(table)[0] != "tenant":
        raise ValueError(
            f"table '{table.name}' must start its primary key with 'tenant', "
            'or say info={"scope": "platform"} when it holds no tenant\'s data'
        )
