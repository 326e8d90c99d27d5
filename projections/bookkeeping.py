"""Where projections stand: generations, checkpoints, leases and parked events. No tenant's data is in here.

One generation is one physical copy of a projection's tables; its number is never used again. `fencing` grows
each time a lease changes hands or a generation stops being the active one, so whoever worked before can no
longer commit.
"""

from __future__ import annotations

CHANNEL = "aios_projected"
"""Tells who waits that a projection has moved."""
WANTED_CHANNEL = "aios_projections_wanted"
"""Tells the runners that somebody waits."""

BOOKKEEPING_DDL = """
CREATE TABLE IF NOT EXISTS projection_generations (
    projection text NOT NULL,
    generation integer NOT NULL,
    version integer NOT NULL,
    tables text[] NOT NULL,
    state text NOT NULL CHECK (state IN ('building', 'active', 'retired', 'dropped')),
    created_at timestamptz NOT NULL DEFAULT now(),
    activated_at timestamptz,
    retired_at timestamptz,
    PRIMARY KEY (projection, generation)
);
CREATE UNIQUE INDEX IF NOT EXISTS projection_generations_active
    ON projection_generations (projection) WHERE state = 'active';

CREATE TABLE IF NOT EXISTS projection_checkpoints (
    projection text NOT NULL,
    generation integer NOT NULL,
    version integer NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    fencing bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, generation)
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS projection_leases (
    projection text NOT NULL,
    generation integer NOT NULL,
    owner text NOT NULL,
    fencing bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (projection, generation)
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS projection_parked (
    projection text NOT NULL,
    generation integer NOT NULL,
    position bigint NOT NULL,
    type text NOT NULL,
    error text NOT NULL,
    attempts integer NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, generation, position)
);

GRANT SELECT ON projection_generations, projection_checkpoints, projection_leases, projection_parked
    TO aios_system;
GRANT INSERT, UPDATE, DELETE ON projection_checkpoints, projection_leases, projection_parked TO aios_system;
GRANT SELECT ON projection_generations, projection_checkpoints TO aios_app;
"""
