"""Snapshots: the state of a long-lived aggregate at one version, sealed like its events; droppable."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, get_type_hints

import msgspec
from cryptography.exceptions import InvalidTag
from psycopg import AsyncConnection

from domain.kernel.aggregate import Aggregate
from infrastructure.keyring.keyring import Keyring, Scope

A = TypeVar("A", bound=Aggregate)
UPSERT = """
INSERT INTO snapshots (stream_id, tenant, version, shape, key_id, state) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version, shape = excluded.shape,
    key_id = excluded.key_id, state = excluded.state WHERE snapshots.version < excluded.version
"""


@cache
def shape_of(cls: type[Aggregate]) -> str | None:
    """Fingerprint the annotated state of an aggregate class; None when it declares none.

    A class without annotated state takes no snapshot. A changed shape makes older snapshots useless: they
    are ignored and the events are read instead.
    """
    fields = _fields(cls)
    if not fields:
        return None
    text = ";".join(f"{name}:{hint!r}" for name, hint in sorted(fields.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Captured(msgspec.Struct, frozen=True):
    """The state of an aggregate at the moment it was captured; what happens to it later does not show."""

    stream_id: str
    version: int
    shape: str
    plain: bytes


def capture(aggregate: Aggregate) -> Captured | None:
    """Take the state of an aggregate that has no pending events; None when its class declares no state."""
    shape = shape_of(type(aggregate))
    if shape is None:
        return None
    state = {name: getattr(aggregate, name) for name in _fields(type(aggregate))}
    plain = msgspec.json.encode([[aggregate.created_on, aggregate.modified_on], state])
    return Captured(aggregate.id, aggregate.version, shape, plain)


async def save(conn: AsyncConnection, keyring: Keyring, snapshot: Captured) -> None:
    """Store a snapshot; an older one never replaces a newer one."""
    tenant = snapshot.stream_id.split("/", 1)[0]
    scope = Scope(tenant, f"stream:{snapshot.stream_id}", "snapshot", "all")
    await keyring.ensure({scope})
    key = keyring.sealing_key(scope)
    nonce = os.urandom(12)
    sealed = nonce + key.aead.encrypt(nonce, snapshot.plain, snapshot.stream_id.encode())
    await conn.execute(
        UPSERT, [snapshot.stream_id, tenant, snapshot.version, snapshot.shape, key.kid, sealed]
    )


async def restore(conn: AsyncConnection, keyring: Keyring, cls: type[A], stream_id: str) -> A | None:
    """Return the aggregate as its snapshot has it, or None when there is no usable one."""
    shape = shape_of(cls)
    if shape is None:
        return None
    cursor = await conn.execute(
        "SELECT version, key_id, state FROM snapshots WHERE stream_id = %s AND shape = %s", [stream_id, shape]
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    version, key_id, sealed = row
    await keyring.fetch([key_id])
    key = keyring.opening_key(key_id)
    if key is None:
        return None
    try:
        plain = key.aead.decrypt(sealed[:12], sealed[12:], stream_id.encode())
    except InvalidTag:
        return None
    return _rebuild(cls, stream_id, version, plain)


def _rebuild(cls: type[A], stream_id: str, version: int, plain: bytes) -> A:
    times, state = msgspec.json.decode(plain, type=tuple[tuple[datetime, datetime], dict[str, Any]])
    aggregate = cls.blank(stream_id, times[0].astimezone(UTC))
    for name, hint in _fields(cls).items():
        setattr(aggregate, name, msgspec.convert(state[name], hint))
    aggregate.version = version
    aggregate.modified_on = times[1]
    return aggregate


@cache
def _fields(cls: type[Aggregate]) -> dict[str, Any]:
    own = {name for base in cls.__mro__ if issubclass(base, Aggregate) and base is not Aggregate
           for name in getattr(base, "__annotations__", {})}  # fmt: skip
    return {
        n: h for n, h in get_type_hints(cls).items() if n in own and not n.isupper() and not n.startswith("_")
    }
