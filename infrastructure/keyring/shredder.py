"""Destroys data keys so that nobody can open what they sealed: not here, not elsewhere, not from old copies.

Order matters. Keys are first retired: they still open, but no event is sealed with one once the log's epoch
has grown, so what they seal is a closed set. Destroying deletes them, gives their shards new keys and the
tenant a new wrapping key, and then forgets the old ones.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec
from cryptography.exceptions import InvalidTag
from psycopg import AsyncConnection

from infrastructure.keyring import wrapping
from infrastructure.keyring.keyring import TENANT_LOCK, Keyring
from infrastructure.keyring.kms import Kms, WrappingKeyDestroyed
from infrastructure.keyring.wrapping import CHANNEL, ShardKey

CHUNK = 5000
Fence = Callable[[], Awaitable[int]]
"""Makes the log's epoch grow; returns the position of the last event that an older epoch may have sealed."""

_HOLD = "SELECT pg_advisory_xact_lock(%s, hashtext(%s))"
_SHARDS = "SELECT shard, kek_version, wrapped FROM shard_keys WHERE tenant = %s ORDER BY shard"
_SET_SHARDS = """
UPDATE shard_keys s SET kek_version = n.version, wrapped = n.wrapped
FROM unnest(%s::smallint[], %s::integer[], %s::bytea[]) AS n (shard, version, wrapped)
WHERE s.tenant = %s AND s.shard = n.shard
"""
_TAKE = "DELETE FROM data_keys WHERE tenant = %s AND kid = ANY(%s) RETURNING kid, shard, wrapped"
_GONE = """
INSERT INTO destroyed_keys (kid, tenant, erasure) SELECT unnest(%s::text[]), %s, %s ON CONFLICT DO NOTHING
"""
_NEIGHBOURS = "SELECT kid, shard, wrapped FROM data_keys WHERE tenant = %s AND shard = ANY(%s)"
_REWRAP = """
UPDATE data_keys d SET wrapped = n.wrapped FROM unnest(%s::text[], %s::bytea[]) AS n (kid, wrapped)
WHERE d.kid = n.kid
"""
_RETIRE = "UPDATE data_keys SET retired_by = %s WHERE tenant = %s AND kid = ANY(%s) AND retired_by IS NULL"
_RETIRED = """
SELECT kid FROM data_keys WHERE tenant = %(tenant)s AND retired_by = %(erasure)s
UNION SELECT kid FROM destroyed_keys WHERE tenant = %(tenant)s AND erasure = %(erasure)s ORDER BY kid
"""
_OF_SUBJECTS = "SELECT kid FROM data_keys WHERE tenant = %s AND subject = ANY(%s) AND category = %s"


class Destruction(msgspec.Struct, frozen=True):
    """What destroying came to. `opened_after` counts attempts to open a destroyed key that succeeded: 0."""

    destroyed: int
    attempts: int
    opened_after: int


class _OldCopy(msgspec.Struct, frozen=True):
    """A destroyed key as an old copy of the keyring still has it."""

    kid: str
    shard: int
    wrapped: bytes
    kek_version: int
    shard_wrapped: bytes


class Shredder:
    """Retires and destroys data keys of a tenant; safe to repeat after a crash at any point."""

    def __init__(self, keyring: Keyring, kms: Kms, fence: Fence) -> None:
        self._keyring = keyring
        self._kms = kms
        self._fence = fence

    async def retire(self, tenant: str, erasure: str, kids: Sequence[str]) -> int:
        """Let keys seal nothing new, for an erasure; returns the position of the last event they may seal."""
        async with self._keyring.connection() as conn:
            await conn.execute(_RETIRE, [erasure, tenant, list(kids)])
        return await self._fence()

    async def retired(self, tenant: str, erasure: str) -> list[str]:
        """Return the keys that were retired for an erasure, destroyed already or not."""
        async with self._keyring.connection() as conn:
            rows = await (await conn.execute(_RETIRED, {"tenant": tenant, "erasure": erasure})).fetchall()
        return [kid for (kid,) in rows]

    async def destroy(self, tenant: str, kids: Sequence[str], erasure: str = "") -> Destruction:
        """Destroy keys for good, everywhere, and try to open them afterwards."""
        wanted = list(kids)
        async with self._keyring.connection() as conn:
            await conn.execute(_HOLD, [TENANT_LOCK, tenant])
            version = await asyncio.to_thread(lambda: self._kms.rotate(tenant).version)
            copies = await self._take(conn, tenant, wanted, erasure)
            await conn.execute(f"NOTIFY {CHANNEL}")
        await asyncio.to_thread(self._kms.destroy_before, tenant, version)
        await self._fence()
        self._keyring.forget()
        opened = await asyncio.to_thread(lambda: sum(self._opens(tenant, copy) for copy in copies))
        await self._keyring.fetch(wanted)
        opened += sum(self._keyring.opening_key(kid) is not None for kid in wanted)
        return Destruction(len(wanted), len(wanted), opened)

    async def destroy_subjects(self, tenant: str, subjects: Sequence[str], category: str) -> int:
        """Destroy every data key of some subjects in one category; returns how many."""
        async with self._keyring.connection() as conn:
            rows = await (await conn.execute(_OF_SUBJECTS, [tenant, list(subjects), category])).fetchall()
        kids = [kid for (kid,) in rows]
        return (await self.destroy(tenant, kids)).destroyed if kids else 0

    async def _take(
        self, conn: AsyncConnection, tenant: str, kids: list[str], erasure: str
    ) -> list[_OldCopy]:
        """Delete keys, renew their shards, wrap every shard's key anew; return what was there before."""
        before = {
            shard: (version, wrapped)
            for shard, version, wrapped in await (await conn.execute(_SHARDS, [tenant])).fetchall()
        }
        taken = await (await conn.execute(_TAKE, [tenant, kids])).fetchall()
        await conn.execute(_GONE, [kids, tenant, erasure])
        touched = {shard for _, shard, _ in taken}
        old, new = {}, {}
        for shard, row in before.items():
            with contextlib.suppress(WrappingKeyDestroyed):  # lost already; its keys open no more
                old[shard] = wrapping.open_shard_key(self._kms, tenant, shard, *row)
                new[shard] = wrapping.draw_shard_key(tenant, shard) if shard in touched else old[shard]
        wrapped = [wrapping.wrap_shard_key(self._kms, shard_key) for shard_key in new.values()]
        await conn.execute(_SET_SHARDS, [list(new), [v for v, _ in wrapped], [w for _, w in wrapped], tenant])
        await self._rewrap(conn, tenant, touched, old, new)
        return [_OldCopy(kid, shard, wrapped, *before[shard]) for kid, shard, wrapped in taken]

    async def _rewrap(
        self,
        conn: AsyncConnection,
        tenant: str,
        touched: set[int],
        old: dict[int, ShardKey],
        new: dict[int, ShardKey],
    ) -> None:
        """Wrap the keys that stay in touched shards by their shard's new key."""
        rows = await (await conn.execute(_NEIGHBOURS, [tenant, sorted(touched & old.keys())])).fetchall()
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            wrapped = await asyncio.to_thread(_wrapped_anew, chunk, old, new)
            await conn.execute(_REWRAP, [[kid for kid, _, _ in chunk], wrapped])

    def _opens(self, tenant: str, copy: _OldCopy) -> bool:
        """Try to open an old copy of a key with every wrapping key that is left."""
        for version in self._kms.versions(tenant):
            with contextlib.suppress(WrappingKeyDestroyed, InvalidTag):
                kek = self._kms.open(tenant, version)
                context = wrapping.shard_context(tenant, copy.shard)
                shard = ShardKey(tenant, copy.shard, wrapping.opened(kek.key, copy.shard_wrapped, context))
                wrapping.opened(shard.key, copy.wrapped, copy.kid)
                return True
        return False


def _wrapped_anew(
    rows: Iterable[tuple[str, int, bytes]], old: dict[int, ShardKey], new: dict[int, ShardKey]
) -> list[bytes]:
    return [new[shard].wrap(kid, old[shard].unwrap(kid, wrapped)) for kid, shard, wrapped in rows]
