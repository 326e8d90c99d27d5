"""The seeds of API keys: random to everybody else, the same again for a repeated command."""

from __future__ import annotations

import hashlib
import hmac

SHORTEST_SECRET = 32


class HmacSecretSource:
    """Derives seeds from the installation's secret by HMAC-SHA-256; see the port for the promise."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"the secret of key seeds needs at least {SHORTEST_SECRET} bytes")
        self._secret = secret

    def seed(self, purpose: str, tenant: str, command_id: str) -> bytes:
        """Return 32 bytes for (purpose, tenant, command id)."""
        parts = (part.encode() for part in ("api-key-seed", purpose, tenant, command_id))
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._secret, message, hashlib.sha256)
