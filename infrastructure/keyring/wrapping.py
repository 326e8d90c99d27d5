"""How data keys are wrapped: each by the key of its shard, each shard's key by the tenant's key.

A subject's keys stand in one shard of 256, so destroying them changes the wrapping of some hundred neighbours
instead of all: the shard gets a new key, and every shard's key is wrapped anew by a new tenant key.
"""

from __future__ import annotations

import hashlib
import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import AsyncConnection

from domain.kernel.errors import Corrupt
from infrastructure.keyring.kms import Kms, WrappingKeyDestroyed

SHARDS = 256
CHANNEL = "aios_keys"
_INSTALLED = "SELECT to_regclass('destroyed_keys'), to_regclass('data_keys')"
_OLD = "SELECT kid, tenant, subject, kek_version, wrapped FROM data_keys"
_MOVE = "UPDATE data_keys SET shard = %s, wrapped = %s WHERE kid = %s"
_ADD_SHARD = "INSERT INTO shard_keys (tenant, shard, kek_version, wrapped) VALUES (%s, %s, %s, %s)"
_DDL = """
CREATE TABLE IF NOT EXISTS data_keys (
    kid        text PRIMARY KEY,
    tenant     text NOT NULL,
    subject    text NOT NULL,
    category   text NOT NULL,
    bucket     text NOT NULL,
    wrapped    bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE data_keys DROP CONSTRAINT IF EXISTS data_keys_tenant_subject_category_bucket_key;
ALTER TABLE data_keys ADD COLUMN IF NOT EXISTS shard smallint NOT NULL DEFAULT 0;
ALTER TABLE data_keys ADD COLUMN IF NOT EXISTS retired_by text;
CREATE UNIQUE INDEX IF NOT EXISTS data_keys_scope
    ON data_keys (tenant, subject, category, bucket) WHERE retired_by IS NULL;
CREATE INDEX IF NOT EXISTS data_keys_retired ON data_keys (tenant, retired_by) WHERE retired_by IS NOT NULL;
CREATE INDEX IF NOT EXISTS data_keys_shard ON data_keys (tenant, shard);
CREATE TABLE IF NOT EXISTS shard_keys (
    tenant      text     NOT NULL,
    shard       smallint NOT NULL,
    kek_version integer  NOT NULL,
    wrapped     bytea    NOT NULL,
    PRIMARY KEY (tenant, shard)
);
CREATE TABLE IF NOT EXISTS destroyed_keys (
    kid          text PRIMARY KEY,
    tenant       text NOT NULL,
    erasure      text NOT NULL DEFAULT '',
    destroyed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS destroyed_keys_erasure ON destroyed_keys (tenant, erasure);
"""


class ShardKey(msgspec.Struct, frozen=True):
    """A shard's opened key; it never shows in a repr."""

    tenant: str
    shard: int
    key: bytes

    def __repr__(self) -> str:
        return f"ShardKey({self.tenant}/{self.shard})"

    def wrap(self, kid: str, data_key: bytes) -> bytes:
        """Return a data key sealed under this shard."""
        return sealed(self.key, data_key, kid)

    def unwrap(self, kid: str, wrapped: bytes) -> bytes:
        """Return a data key. Raises Corrupt when it does not open."""
        try:
            return opened(self.key, wrapped, kid)
        except InvalidTag:
            raise Corrupt(f"data key {kid} does not open under its shard") from None


async def install(conn: AsyncConnection, kms: Kms) -> None:
    """Create what is missing; keys that an earlier version wrapped by the tenant's key move into shards."""
    tables = await (await conn.execute(_INSTALLED)).fetchone()
    known, data_keys = tables if tables else (None, None)
    if known is not None:
        return
    old = await (await conn.execute(_OLD)).fetchall() if data_keys is not None else []
    await conn.execute(_DDL)
    shards: dict[tuple[str, int], ShardKey] = {}
    for kid, tenant, subject, version, wrapped in old:
        place = (tenant, shard_of(subject))
        if place not in shards:
            shards[place] = draw_shard_key(*place)
            await conn.execute(_ADD_SHARD, [*place, *wrap_shard_key(kms, shards[place])])
        plain = opened(kms.open(tenant, version).key, wrapped, kid)
        await conn.execute(_MOVE, [place[1], shards[place].wrap(kid, plain), kid])
    await conn.execute("ALTER TABLE data_keys DROP COLUMN IF EXISTS kek_version")


def shard_of(subject: str) -> int:
    """Return the shard in which all keys of a subject stand."""
    return hashlib.sha256(subject.encode()).digest()[0] % SHARDS


def draw_shard_key(tenant: str, shard: int) -> ShardKey:
    """Make a new key for a shard."""
    return ShardKey(tenant, shard, AESGCM.generate_key(256))


def wrap_shard_key(kms: Kms, shard_key: ShardKey) -> tuple[int, bytes]:
    """Return the version of the tenant's key in force, and the shard's key under it."""
    kek = kms.current(shard_key.tenant)
    return kek.version, sealed(kek.key, shard_key.key, shard_context(shard_key.tenant, shard_key.shard))


def open_shard_key(kms: Kms, tenant: str, shard: int, kek_version: int, wrapped: bytes) -> ShardKey:
    """Return a shard's key. Raises WrappingKeyDestroyed when the tenant's key of that version is gone."""
    kek = kms.open(tenant, kek_version)
    try:
        return ShardKey(tenant, shard, opened(kek.key, wrapped, shard_context(tenant, shard)))
    except InvalidTag:  # a restored copy whose version number was given to another key since
        raise WrappingKeyDestroyed(f"the wrapping key of shard {tenant}/{shard} was destroyed") from None


def sealed(key: bytes, plain: bytes, context: str) -> bytes:
    """Return nonce and ciphertext (AES-256-GCM) bound to a context."""
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, plain, context.encode())


def opened(key: bytes, raw: bytes, context: str) -> bytes:
    """Return what `sealed` sealed. Raises InvalidTag."""
    return AESGCM(key).decrypt(raw[:12], raw[12:], context.encode())


def shard_context(tenant: str, shard: int) -> str:
    """Return what a shard's wrapped key is bound to."""
    return f"shard|{tenant}|{shard}"
