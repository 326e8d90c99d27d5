"""The DDL of a generation: physical tables with forced row-level security, and the views that front them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql import quoted_name

from projections.projection import Projection
from projections.statements import quote
from projections.tables import physical_name

_DIALECT: Any = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's constructor has no types


def create_tables(projection: Projection, generation: int) -> list[str]:
    """Return the statements that create a generation's empty tables, their indexes, rights and policies."""
    statements: list[str] = []
    for table in projection.tables:
        name = physical_name(table.name, projection.version, generation)
        copy = table.to_metadata(MetaData(), name=name)
        statements.append(str(CreateTable(copy).compile(dialect=_DIALECT)))
        for index in sorted(copy.indexes, key=lambda index: str(index.name)):
            named = physical_name(str(index.name), projection.version, generation)
            index.name = quoted_name(named, quote=None)
            statements.append(str(CreateIndex(index).compile(dialect=_DIALECT)))
        statements += _rights(table, quote(name))
        statements += _partitions(table, name)
        statements += _unsampled(table, name)
    return statements


def drop_tables(tables: Iterable[str], version: int, generation: int) -> list[str]:
    """Return the statements that drop a generation's physical tables."""
    return [f"DROP TABLE IF EXISTS {quote(physical_name(name, version, generation))}" for name in tables]


def drop_views(tables: Iterable[str]) -> list[str]:
    """Return the statements that drop logical names."""
    return [f"DROP VIEW IF EXISTS {quote(name)}" for name in sorted(tables)]


def create_views(tables: Iterable[str], version: int, generation: int) -> list[str]:
    """Return the statements that put the logical names in front of a generation's tables.

    A view runs with its reader's rights, so the reader's row-level security holds.
    """
    statements: list[str] = []
    for table in sorted(tables):
        view, physical = quote(table), quote(physical_name(table, version, generation))
        statements += [
            f"CREATE VIEW {view} WITH (security_invoker = true) AS SELECT * FROM {physical}",
            f"GRANT SELECT ON {view} TO aios_app, aios_system",
        ]
    return statements


def _partitions(table: Table, name: str) -> list[str]:
    """Return what makes the partitions of a table by hash; nobody reads or writes them but through it."""
    count = table.info.get("hash_partitions", 0)
    statements: list[str] = []
    for number in range(count):
        part = quote(f"{name}_p{number:02d}")
        statements += [
            f"CREATE TABLE {part} PARTITION OF {quote(name)} "
            f"FOR VALUES WITH (MODULUS {count}, REMAINDER {number})",
            f"ALTER TABLE {part} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {part} FORCE ROW LEVEL SECURITY",
        ]
    return statements


def _unsampled(table: Table, name: str) -> list[str]:
    """Keep values of personal columns out of the planner's statistics, where no erasure would find them."""
    count = table.info.get("hash_partitions", 0)
    names = [name, *(f"{name}_p{number:02d}" for number in range(count))]
    columns = [column.name for column in table.columns if column.info.get("personal")]
    return [
        f"ALTER TABLE {quote(each)} ALTER COLUMN {quote(column)} SET STATISTICS 0"
        for each in names
        for column in columns
    ]


def _rights(table: Table, name: str) -> list[str]:
    rights = [
        f"GRANT SELECT ON {name} TO aios_app",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO aios_system",
    ]
    if "tenant" not in table.columns:
        return rights
    return [
        *rights,
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY app_reads_its_tenant ON {name} FOR SELECT TO aios_app "
        "USING (tenant = current_setting('aios.tenant', true))",
        f"CREATE POLICY system_projects_all ON {name} TO aios_system USING (true) WITH CHECK (true)",
    ]
