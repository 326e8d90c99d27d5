"""Data keys by (tenant, subject, category, month), each wrapped by its tenant's key, cached in memory."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence, Set
from contextlib import asynccontextmanager

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.kernel.errors import Unavailable
from infrastructure.keyring.kms import Kms

CACHE_SIZE = 50_000
OPENED_FOR_S = 60.0
"""How long a process may go on opening a key that another one has destroyed."""
_ROTATION = 7303
DDL = """
CREATE TABLE IF NOT EXISTS data_keys (
    kid         text PRIMARY KEY,
    tenant      text NOT NULL,
    subject     text NOT NULL,
    category    text NOT NULL,
    bucket      text NOT NULL,
    kek_version integer NOT NULL,
    wrapped     bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant, subject, category, bucket)
)
"""


class Scope(msgspec.Struct, frozen=True):
    """Whose data a key seals: one subject's, of one category, in one month (`2026-11`)."""

    tenant: str
    subject: str
    category: str
    bucket: str


class DataKey:
    """An opened data key; its bytes never show in a repr."""

    __slots__ = ("aead", "kid")

    def __init__(self, kid: str, key: bytes) -> None:
        self.kid = kid
        self.aead = AESGCM(key)


class Keyring:
    """Makes, opens and destroys data keys. Sealing and opening themselves are done by the event codec."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], kms: Kms) -> None:
        self._pool = pool
        self._kms = kms
        self._by_scope: OrderedDict[Scope, DataKey] = OrderedDict()
        self._by_kid: OrderedDict[str, DataKey | None] = OrderedDict()
        self._fresh_since = time.monotonic()

    async def prepare(self) -> None:
        """Create the keyring's table where it is missing."""
        async with self._connection() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(7302)")
            await conn.execute(DDL)

    async def ensure(self, scopes: Set[Scope]) -> None:
        """Make sure that `sealing_key` has a durable key for each scope."""
        missing = [scope for scope in scopes if scope not in self._by_scope]
        if not missing:
            return
        async with self._connection() as conn:
            opened = {scope: await self._make_or_open(conn, scope) for scope in missing}
        for scope, key in opened.items():
            self._by_scope[scope] = key
            self._remember(key.kid, key)
        while len(self._by_scope) > CACHE_SIZE:
            self._by_scope.popitem(last=False)

    def sealing_key(self, scope: Scope) -> DataKey:
        """Return the key of a scope that `ensure` has seen."""
        return self._by_scope[scope]

    async def fetch(self, kids: Sequence[str]) -> None:
        """Load keys so that `opening_key` can answer; unknown ones are remembered as erased."""
        now = time.monotonic()
        if now - self._fresh_since > OPENED_FOR_S:
            self._by_kid.clear()
            self._fresh_since = now
        missing = [kid for kid in kids if kid not in self._by_kid]
        if not missing:
            return
        async with self._connection() as conn:
            cursor = await conn.execute(
                "SELECT kid, tenant, kek_version, wrapped FROM data_keys WHERE kid = ANY(%s)", [missing]
            )
            found = {kid: self._open(kid, tenant, kek, w) for kid, tenant, kek, w in await cursor.fetchall()}
        for kid in missing:
            self._remember(kid, found.get(kid))

    def opening_key(self, kid: str) -> DataKey | None:
        """Return a fetched key, or None when it was destroyed."""
        return self._by_kid.get(kid)

    async def destroy(self, tenant: str, kids: Sequence[str]) -> int:
        """Delete data keys and rotate the tenant's wrapping key, so that old copies of the keyring open none.

        Returns how many keys were deleted. Keys that stay are wrapped anew before the old wrapping key goes.
        """
        async with self._connection() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_ROTATION, tenant])
            old = self._kms.current(tenant)
            new = self._kms.rotate(tenant)
            cursor = await conn.execute("DELETE FROM data_keys WHERE kid = ANY(%s)", [list(kids)])
            deleted = cursor.rowcount
            await self._rewrap(conn, tenant, new.version)
        self._kms.destroy(tenant, old.version)
        self.evict(kids)
        return deleted

    async def destroy_subjects(self, tenant: str, subjects: Sequence[str], category: str) -> int:
        """Destroy every data key of some subjects in one category; see `destroy`."""
        async with self._connection() as conn:
            cursor = await conn.execute(
                "SELECT kid FROM data_keys WHERE tenant = %s AND subject = ANY(%s) AND category = %s",
                [tenant, list(subjects), category],
            )
            kids = [kid for (kid,) in await cursor.fetchall()]
        return await self.destroy(tenant, kids) if kids else 0

    def evict(self, kids: Sequence[str]) -> None:
        """Drop keys from this process's memory; they are erased from now on."""
        gone = set(kids)
        for kid in gone:
            self._by_kid[kid] = None
        self._by_scope = OrderedDict((s, k) for s, k in self._by_scope.items() if k.kid not in gone)

    def subject_reference(self, tenant: str, external_id: str) -> str:
        """Return the pseudonym of a person in the log: a keyed hash, stable within a tenant."""
        pepper = self._kms.derive(f"subject-reference/{tenant}")
        return "s_" + hmac.new(pepper, external_id.encode(), hashlib.sha256).hexdigest()[:32]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._pool.connection() as conn:
                yield conn
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable("keyring", f"the keyring's database does not answer: {error}", 1.0) from error

    async def _make_or_open(self, conn: AsyncConnection, scope: Scope) -> DataKey:
        # A key wrapped with the version that a rotation is about to destroy would be lost.
        await conn.execute("SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s))", [_ROTATION, scope.tenant])
        kek = self._kms.current(scope.tenant)
        kid = "k_" + urlsafe_b64encode(os.urandom(12)).decode()
        key = AESGCM.generate_key(256)
        await conn.execute(
            "INSERT INTO data_keys (kid, tenant, subject, category, bucket, kek_version, wrapped) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant, subject, category, bucket) DO NOTHING",
            [
                kid,
                scope.tenant,
                scope.subject,
                scope.category,
                scope.bucket,
                kek.version,
                _wrap(kek.key, kid, key),
            ],
        )
        cursor = await conn.execute(
            "SELECT kid, kek_version, wrapped FROM data_keys "
            "WHERE tenant = %s AND subject = %s AND category = %s AND bucket = %s",
            [scope.tenant, scope.subject, scope.category, scope.bucket],
        )
        found, version, wrapped = (await cursor.fetchall())[0]
        return self._open(found, scope.tenant, version, wrapped)

    async def _rewrap(self, conn: AsyncConnection, tenant: str, version: int) -> None:
        cursor = await conn.execute(
            "SELECT kid, kek_version, wrapped FROM data_keys "
            "WHERE tenant = %s AND kek_version < %s FOR UPDATE",
            [tenant, version],
        )
        kek = self._kms.open(tenant, version)
        for kid, old, wrapped in await cursor.fetchall():
            key = _unwrap(self._kms.open(tenant, old).key, kid, wrapped)
            await conn.execute(
                "UPDATE data_keys SET kek_version = %s, wrapped = %s WHERE kid = %s",
                [version, _wrap(kek.key, kid, key), kid],
            )

    def _open(self, kid: str, tenant: str, kek_version: int, wrapped: bytes) -> DataKey:
        return DataKey(kid, _unwrap(self._kms.open(tenant, kek_version).key, kid, wrapped))

    def _remember(self, kid: str, key: DataKey | None) -> None:
        self._by_kid[kid] = key
        if len(self._by_kid) > CACHE_SIZE:
            self._by_kid.popitem(last=False)


def _wrap(kek: bytes, kid: str, key: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(kek).encrypt(nonce, key, kid.encode())


def _unwrap(kek: bytes, kid: str, wrapped: bytes) -> bytes:
    return AESGCM(kek).decrypt(wrapped[:12], wrapped[12:], kid.encode())
