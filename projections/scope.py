"""Opens a tenant's view of the read models: a read-only transaction under row-level security."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_SCOPE = text(
    "SELECT set_config('aios.tenant', :tenant, true), set_config('transaction_read_only', 'on', true)"
)


@asynccontextmanager
async def tenant_connection(engine: AsyncEngine, tenant: str) -> AsyncIterator[AsyncConnection]:
    """Lend a connection in whose transaction only this tenant's rows exist and nothing can be written.

    `engine` connects as `aios_app`. The setting ends with the transaction, so a pooled connection carries
    nothing over.
    """
    async with engine.begin() as conn:
        await conn.execute(_SCOPE, {"tenant": tenant})
        yield conn
