"""Brings a database to the newest schema; run by `make up` and `aios migrate`, safe to run at once twice.

Alembic is imported where it is used: an API process never needs it, and it costs 7 MB.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa

from infrastructure.database.engines import sqlalchemy_url
from infrastructure.database.rights import ROLES

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7300


def migrate(owner_dsn: str) -> str:
    """Apply every missing migration as the owner and return the schema's revision.

    Creates the two application roles where the owner may and they are missing (an operator's own PostgreSQL);
    raises psycopg or SQLAlchemy errors with the server's message when it may not.
    """
    from alembic import command

    _ensure_roles(owner_dsn)
    engine = sa.create_engine(sqlalchemy_url(owner_dsn), poolclass=sa.NullPool)
    config = _config()
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        for role in ROLES:  # so that `aios doctor` can tell the revision without the owner's password
            connection.execute(sa.text(f"GRANT SELECT ON alembic_version TO {role}"))
    return newest_revision()


def newest_revision() -> str:
    """Return the revision that this version of the product expects."""
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(_config()).get_current_head()
    return head or ""


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def _ensure_roles(owner_dsn: str) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        for role in ROLES:
            found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            if found is None:
                name = psycopg.sql.Identifier(role)
                connection.execute(psycopg.sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
                connection.execute(psycopg.sql.SQL("GRANT {} TO CURRENT_USER").format(name))
