"""Data keys by (tenant, subject, category, month): made, opened and cached; `shredder` destroys them.

What is cached is as old as an epoch of the log, which grows whenever keys are destroyed anywhere: whoever
reads or writes the log learns the epoch with it and forgets older keys first. A notification empties the
memory of idle processes too.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence, Set
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.kernel.errors import Unavailable
from infrastructure.keyring import wrapping
from infrastructure.keyring.kms import Kms, WrappingKeyDestroyed
from infrastructure.keyring.wrapping import ShardKey, shard_of

CACHE_SIZE = 50_000
OPENED_FOR_S = 60.0
"""How long an opened key is kept at most, should a process never hear of the log again."""
ATTEMPTS = 3
TENANT_LOCK = 7303
logger = logging.getLogger(__name__)

_ACTIVE = """
SELECT d.tenant, d.subject, d.category, d.bucket, d.kid, d.wrapped, d.shard, s.kek_version, s.wrapped
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS wanted (tenant, subject, category, bucket)
JOIN data_keys d USING (tenant, subject, category, bucket) JOIN shard_keys s USING (tenant, shard)
WHERE d.retired_by IS NULL
"""
_BY_KID = """
SELECT d.tenant, d.kid, d.wrapped, d.shard, s.kek_version, s.wrapped
FROM data_keys d JOIN shard_keys s USING (tenant, shard) WHERE d.kid = ANY(%s)
"""
_ADD = """
INSERT INTO data_keys (kid, tenant, subject, category, bucket, shard, wrapped)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::smallint[], %s::bytea[])
ON CONFLICT DO NOTHING
"""
_SHARDS = """
SELECT tenant, shard, kek_version, wrapped FROM shard_keys
JOIN unnest(%s::text[], %s::smallint[]) AS wanted (tenant, shard) USING (tenant, shard)
"""
_ADD_SHARDS = """
INSERT INTO shard_keys (tenant, shard, kek_version, wrapped)
SELECT * FROM unnest(%s::text[], %s::smallint[], %s::integer[], %s::bytea[]) ON CONFLICT DO NOTHING
"""
# Nothing that a destroyed key wrapped can be opened by anybody: a copy that was restored from before.
_LOSE_SHARD = """
WITH lost AS (DELETE FROM data_keys WHERE tenant = %s AND shard = %s RETURNING kid, tenant),
     gone AS (INSERT INTO destroyed_keys (kid, tenant) SELECT kid, tenant FROM lost ON CONFLICT DO NOTHING)
DELETE FROM shard_keys WHERE tenant = %s AND shard = %s
"""


class Scope(msgspec.Struct, frozen=True, cache_hash=True):
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
    """Makes and opens data keys. Sealing and opening themselves are done by the event codec."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], kms: Kms) -> None:
        self._pool = pool
        self._kms = kms
        self._by_scope: OrderedDict[Scope, DataKey] = OrderedDict()
        self._by_kid: OrderedDict[str, DataKey | None] = OrderedDict()
        self._fresh_since = time.monotonic()
        self._epoch = 0
        self._generation = 0

    async def prepare(self) -> None:
        """Create the keyring's tables where they are missing."""
        async with self.connection() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(7302)")
            await wrapping.install(conn, self._kms)

    def renew(self, epoch: int) -> None:
        """Forget every key when keys were destroyed since the epoch that is known here."""
        if epoch > self._epoch:
            self._epoch = epoch
            self.forget()

    def forget(self) -> None:
        """Drop every key from this process's memory; what is being loaded now will not get into it."""
        self._generation += 1
        self._by_scope.clear()
        self._by_kid.clear()
        self._fresh_since = time.monotonic()

    def ready(self, scopes: Set[Scope]) -> bool:
        """Tell whether `sealing_key` can answer for all of these scopes now."""
        return all(scope in self._by_scope for scope in scopes)

    async def ensure(self, scopes: Set[Scope]) -> None:
        """Make sure that `sealing_key` has a durable key for each scope, unless keys are destroyed meanwhile.

        Raises Unavailable when the keyring does not answer.
        """
        missing = [scope for scope in scopes if scope not in self._by_scope]
        if not missing:
            return
        generation = self._generation
        async with self.connection() as conn:
            # A key wrapped by what a rotation is about to replace would be lost.
            await _hold_shared(conn, {scope.tenant for scope in missing})
            opened = await self._active(conn, missing)
            new = [scope for scope in missing if scope not in opened]
            if new:
                await self._add(conn, new)
                opened |= await self._active(conn, new)
        if generation == self._generation:
            for scope, key in opened.items():
                self._by_scope[scope] = key
                self._remember(key.kid, key)
            while len(self._by_scope) > CACHE_SIZE:
                self._by_scope.popitem(last=False)

    def sealing_key(self, scope: Scope) -> DataKey:
        """Return the key of a scope that is `ready`."""
        return self._by_scope[scope]

    async def fetch(self, kids: Sequence[str]) -> None:
        """Load keys so that `opening_key` can answer; unknown ones are remembered as erased."""
        now = time.monotonic()
        if now - self._fresh_since > OPENED_FOR_S:
            self._by_kid.clear()
            self._fresh_since = now
        while missing := [kid for kid in kids if kid not in self._by_kid]:
            generation = self._generation
            found = await self._load(missing)
            if generation == self._generation:
                for kid in missing:
                    self._remember(kid, found.get(kid))

    def opening_key(self, kid: str) -> DataKey | None:
        """Return a fetched key, or None when it was destroyed."""
        return self._by_kid.get(kid)

    def subject_reference(self, tenant: str, external_id: str) -> str:
        """Return the pseudonym of a person in the log: a keyed hash, stable within a tenant."""
        pepper = self._kms.derive(f"subject-reference/{tenant}")
        return "s_" + hmac.new(pepper, external_id.encode(), hashlib.sha256).hexdigest()[:32]

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection with a transaction. Raises Unavailable when the keyring does not answer."""
        try:
            async with self._pool.connection() as conn:
                yield conn
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable("keyring", f"the keyring's database does not answer: {error}", 1.0) from error

    async def _load(self, kids: list[str]) -> dict[str, DataKey]:
        """Open keys; a rotation between the query and the opening is why it may need a second look."""
        found: dict[str, DataKey] = {}
        for _ in range(ATTEMPTS):
            async with self.connection() as conn:
                rows = await (await conn.execute(_BY_KID, [kids])).fetchall()
            lost = 0
            for tenant, kid, *wrapped in rows:
                try:
                    found[kid] = self._open(tenant, kid, *wrapped)
                except WrappingKeyDestroyed:
                    lost += 1
            if not lost:
                return found
        logger.warning("keyring: %d keys were wrapped by a destroyed key; they open no more", lost)
        return found

    async def _active(self, conn: AsyncConnection, scopes: Iterable[Scope]) -> dict[Scope, DataKey]:
        wanted = [msgspec.structs.astuple(scope) for scope in scopes]
        rows = await (await conn.execute(_ACTIVE, _columns(wanted))).fetchall()
        found: dict[Scope, DataKey] = {}
        lost: set[tuple[str, int]] = set()
        for tenant, subject, category, bucket, kid, *wrapped in rows:
            try:
                found[Scope(tenant, subject, category, bucket)] = self._open(tenant, kid, *wrapped)
            except WrappingKeyDestroyed:
                lost.add((tenant, wrapped[1]))
        for tenant, shard in lost:
            await conn.execute(_LOSE_SHARD, [tenant, shard, tenant, shard])
        return found

    def _open(
        self, tenant: str, kid: str, wrapped: bytes, shard: int, kek_version: int, shard_key: bytes
    ) -> DataKey:
        key = wrapping.open_shard_key(self._kms, tenant, shard, kek_version, shard_key)
        return DataKey(kid, key.unwrap(kid, wrapped))

    async def _add(self, conn: AsyncConnection, scopes: Sequence[Scope]) -> None:
        places = sorted({(scope.tenant, shard_of(scope.subject)) for scope in scopes})
        shards = await self._shards(conn, places)
        missing = [place for place in places if place not in shards]
        if missing:
            await self._add_shards(conn, missing)
            shards |= await self._shards(conn, missing)
        rows = []
        for scope in scopes:
            shard = shard_of(scope.subject)
            kid = "k_" + urlsafe_b64encode(os.urandom(12)).decode()
            wrapped = shards[scope.tenant, shard].wrap(kid, AESGCM.generate_key(256))
            rows.append((kid, *msgspec.structs.astuple(scope), shard, wrapped))
        await conn.execute(_ADD, _columns(rows))

    async def _shards(
        self, conn: AsyncConnection, places: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], ShardKey]:
        rows = await (await conn.execute(_SHARDS, _columns(places))).fetchall()
        found: dict[tuple[str, int], ShardKey] = {}
        for tenant, shard, *wrapped in rows:
            try:
                found[tenant, shard] = wrapping.open_shard_key(self._kms, tenant, shard, *wrapped)
            except WrappingKeyDestroyed:
                await conn.execute(_LOSE_SHARD, [tenant, shard, tenant, shard])
        return found

    async def _add_shards(self, conn: AsyncConnection, places: Sequence[tuple[str, int]]) -> None:
        made = [wrapping.draw_shard_key(*place) for place in places]
        rows = [(key.tenant, key.shard, *wrapping.wrap_shard_key(self._kms, key)) for key in made]
        await conn.execute(_ADD_SHARDS, _columns(rows))

    def _remember(self, kid: str, key: DataKey | None) -> None:
        self._by_kid[kid] = key
        if len(self._by_kid) > CACHE_SIZE:
            self._by_kid.popitem(last=False)


async def _hold_shared(conn: AsyncConnection, tenants: Iterable[str]) -> None:
    for tenant in sorted(tenants):
        await conn.execute("SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s))", [TENANT_LOCK, tenant])


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
