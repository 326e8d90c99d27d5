"""Keeps idempotency keys in PostgreSQL; answers are sealed, since one may hold a new API key."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from application.idempotency import Answer, Attempt
from domain.kernel.errors import Corrupt, Unavailable

NONCE_BYTES: Final = 12
LEASE: Final = "interval '10 seconds'"
LIFETIME: Final = "interval '24 hours'"
FORGOTTEN_AT_ONCE: Final = 100

TAKE: Final = f"""
INSERT INTO idempotency AS kept
    (tenant, key_digest, fingerprint, command_id, owner, lease_until, expires_at)
VALUES (%(tenant)s, %(key)s, %(fingerprint)s, %(command_id)s, %(owner)s, now() + {LEASE}, now() + {LIFETIME})
ON CONFLICT (tenant, key_digest) DO UPDATE SET
    owner = excluded.owner,
    lease_until = excluded.lease_until,
    fingerprint = excluded.fingerprint,
    answer = NULL,
    command_id = CASE WHEN kept.expires_at <= now() THEN excluded.command_id ELSE kept.command_id END,
    expires_at = CASE WHEN kept.expires_at <= now() THEN excluded.expires_at ELSE kept.expires_at END
WHERE kept.expires_at <= now()
   OR (kept.answer IS NULL AND kept.lease_until <= now() AND kept.fingerprint = excluded.fingerprint)
RETURNING command_id
"""
LOOK: Final = "SELECT fingerprint, answer FROM idempotency WHERE tenant = %(tenant)s AND key_digest = %(key)s"
OWNED: Final = "WHERE tenant = %(tenant)s AND key_digest = %(key)s AND owner = %(owner)s AND answer IS NULL"
RENEW: Final = f"UPDATE idempotency SET lease_until = now() + {LEASE} {OWNED}"
FINISH: Final = f"UPDATE idempotency SET answer = %(answer)s {OWNED}"
RELEASE: Final = f"UPDATE idempotency SET lease_until = now() {OWNED}"
FORGET: Final = f"""
DELETE FROM idempotency WHERE tenant = %(tenant)s AND key_digest IN (
    SELECT key_digest FROM idempotency
    WHERE tenant = %(tenant)s AND expires_at <= now() LIMIT {FORGOTTEN_AT_ONCE} FOR UPDATE SKIP LOCKED)
"""


class AnswerSeal:
    """Seals answers under their tenant and key's digest; `secret` are 32 bytes, the same on every process."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(secret)

    def close(self, tenant: str, digest: bytes, answer: Answer) -> bytes:
        """Return an answer as it is stored."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        plain = msgspec.msgpack.encode(answer)
        return nonce + self._cipher.encrypt(nonce, plain, _context(tenant, digest))

    def open(self, tenant: str, digest: bytes, sealed: bytes) -> Answer:
        """Return a stored answer. Raises Corrupt."""
        nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            plain = self._cipher.decrypt(nonce, text, _context(tenant, digest))
        except InvalidTag as error:
            raise Corrupt("a stored answer does not open under its idempotency key") from error
        return msgspec.msgpack.decode(plain, type=Answer)


class PostgresIdempotencyStore:
    """Implements application.idempotency.IdempotencyStore; leases and expiry follow the database's clock.

    `pool` connects as `aios_app`; `secret` are the 32 bytes that seal answers, the same on every process.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], secret: bytes) -> None:
        self._pool = pool
        self._seal = AnswerSeal(secret)

    async def begin(
        self, tenant: str, key: str, *, fingerprint: bytes, owner: str, command_id: str
    ) -> Attempt:
        """Take the key for a request, or tell why not."""
        values = {
            "tenant": tenant,
            "key": _digest(key),
            "fingerprint": fingerprint,
            "command_id": command_id,
            "owner": owner,
        }
        async with self._transaction(tenant) as connection:
            taken = await (await connection.execute(TAKE, values)).fetchone()
            if taken is not None:
                return Attempt(state="owned", command_id=taken[0])
            found = await (await connection.execute(LOOK, values)).fetchone()
        if found is None:  # expired and forgotten between the two statements
            return Attempt(state="running")
        if bytes(found[0]) != fingerprint:
            return Attempt(state="other")
        if found[1] is None:
            return Attempt(state="running")
        return Attempt(state="answered", answer=self._seal.open(tenant, _digest(key), bytes(found[1])))

    async def renew(self, tenant: str, key: str, owner: str) -> None:
        """Keep the key for another ten seconds."""
        await self._change(RENEW, tenant, key, owner)

    async def finish(self, tenant: str, key: str, owner: str, answer: Answer) -> None:
        """Keep the answer for as long as the key lives, and forget some of the tenant's expired keys."""
        async with self._transaction(tenant) as connection:
            values = {"tenant": tenant, "key": _digest(key), "owner": owner}
            await connection.execute(
                FINISH, {**values, "answer": self._seal.close(tenant, _digest(key), answer)}
            )
            await connection.execute(FORGET, values)

    async def release(self, tenant: str, key: str, owner: str) -> None:
        """Give the key up without an answer."""
        await self._change(RELEASE, tenant, key, owner)

    async def _change(self, statement: str, tenant: str, key: str, owner: str) -> None:
        async with self._transaction(tenant) as connection:
            await connection.execute(statement, {"tenant": tenant, "key": _digest(key), "owner": owner})

    @asynccontextmanager
    async def _transaction(self, tenant: str) -> AsyncIterator[AsyncConnection[Any]]:
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute("SELECT set_config('aios.tenant', %s, true)", [tenant])
                yield connection
        except psycopg.OperationalError as error:
            message = "the database does not answer; idempotency keys cannot be checked, try again"
            raise Unavailable("database", message, retry_after_s=1) from error


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _context(tenant: str, digest: bytes) -> bytes:
    return b"aios idempotent answer 1\0" + tenant.encode() + b"\0" + digest
