"""The bootstrap key of an installation: known to the log before the first request is taken."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from application.bus import Bus, Caller
from application.tenancy.commands import BootstrapAdminKey
from domain.kernel.errors import Unauthenticated
from domain.kernel.names import DEFAULT_TENANT
from projections.tenancy.live import KeyDirectory


async def register_admin_key(keys: KeyDirectory, bus: Bus, key: str, now: datetime) -> None:
    """Give the tenant `default` this key unless it has it already."""
    try:
        keys.authenticate(key, now)
    except Unauthenticated:
        caller = Caller(
            tenant=DEFAULT_TENANT,
            actor="system/bootstrap",
            roles=frozenset({"admin", "platform"}),
            correlation="start",
            command_id=uuid4().hex,
        )
        await bus.dispatch(BootstrapAdminKey(key=key), caller)
