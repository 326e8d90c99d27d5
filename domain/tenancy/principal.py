"""Who a presented key speaks for."""

from __future__ import annotations

import msgspec


class Principal(msgspec.Struct, frozen=True):
    """An authenticated key: its tenant, its roles, and the one workspace it is bound to, if any."""

    tenant: str
    key_id: str
    name: str
    roles: frozenset[str]
    workspace: str | None = None

    @property
    def actor(self) -> str:
        """Return the name under which this key's commands stand in the log."""
        return f"key/{self.key_id}"
