"""Alembic migrations: plain SQL, one file a change, of every table that is not a projection."""
