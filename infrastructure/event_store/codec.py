"""Turns events into stored bytes and back, sealing personal fields with the data key of their subject.

Stored bytes are JSON, so that anything that speaks SQL can follow the log. Sealed fields leave their place
and stand together under `$sealed` as `{field: {kid, nonce, ct}}`, which no field of a class can be called.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, get_type_hints

import msgspec
from cryptography.exceptions import InvalidTag

from domain.kernel.events import Envelope, Event, EventRegistry, UnknownEvent
from domain.kernel.personal import Erased, key_bucket, key_scope, personal_fields
from infrastructure.keyring.keyring import DataKey, Scope

NONCE_BYTES, NONCES_DRAWN = 12, 128
OpeningKey = Callable[[str], DataKey | None]
SealingKey = Callable[[Scope], DataKey]


class Sealed(msgspec.Struct, frozen=True):
    """One sealed field: the key's id, the nonce and the ciphertext with its tag (AES-256-GCM)."""

    kid: str
    nonce: bytes
    ct: bytes


class _WithSealed(msgspec.Struct, rename={"sealed": "$sealed"}):
    sealed: dict[str, Sealed] = {}


class Encoded(msgspec.Struct, frozen=True):
    """An event as bytes, with the plain text of its personal fields still apart: (field, bytes, scope)."""

    type: str
    schema_version: int
    body: bytes
    personal: tuple[tuple[str, bytes, Scope], ...] = ()


class StoredRow(msgspec.Struct, frozen=True):
    """One row of the log, in the order of COLUMNS."""

    position: int
    tenant: str
    stream_id: str
    version: int
    type: str
    schema_version: int
    recorded_at: datetime
    command_id: str
    correlation: str
    actor: str
    data: bytes
    key_ids: list[str]


COLUMNS = ", ".join(StoredRow.__struct_fields__)
_encode = msgspec.json.Encoder().encode


class Nonces:
    """Random nonces of 96 bits, drawn from the system many at a time; a forked process draws its own."""

    def __init__(self) -> None:
        self._left: deque[bytes] = deque()
        os.register_at_fork(after_in_child=self._left.clear)

    def next(self) -> bytes:
        """Return a nonce that no other call returns, in whatever thread."""
        while True:
            try:
                return self._left.pop()
            except IndexError:
                pass
            drawn = os.urandom(NONCE_BYTES * NONCES_DRAWN)
            self._left.extend(drawn[at : at + NONCE_BYTES] for at in range(0, len(drawn), NONCE_BYTES))


_nonces = Nonces()


def encode(event: Event, tenant: str, record_id: str, at: datetime) -> Encoded:
    """Encode an event; `record_id` is the subject of personal fields whose class names no other."""
    marks = personal_fields(type(event))
    present = [name for name in marks if getattr(event, name) is not None] if marks else None
    if not present:
        return Encoded(event.TYPE, event.SCHEMA_VERSION, _encode(event))
    personal = []
    for name in present:
        subject, category = key_scope(event, marks[name], record_id)
        bucket = key_bucket(event, marks[name], at)
        personal.append((name, _encode(getattr(event, name)), Scope(tenant, subject, category, bucket)))
    bare = msgspec.structs.replace(event, **dict.fromkeys(present))
    return Encoded(event.TYPE, event.SCHEMA_VERSION, _encode(bare), tuple(personal))


def seal(encoded: Encoded, stream_id: str, version: int, key_of: SealingKey) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes to store and the ids of the data keys in them."""
    if not encoded.personal:
        return encoded.body, ()
    sealed: dict[str, Sealed] = {}
    kids: list[str] = []
    for name, plain, scope in encoded.personal:
        key = key_of(scope)
        kid, nonce = key.kid, _nonces.next()
        context = _context(scope.tenant, stream_id, version, encoded.type, name, kid)
        sealed[name] = Sealed(kid, nonce, key.aead.encrypt(nonce, plain, context))
        if kid not in kids:
            kids.append(kid)
    joint = b',"$sealed":' if len(encoded.body) > len(b"{}") else b'"$sealed":'
    return b"".join((encoded.body[:-1], joint, _encode(sealed), b"}")), tuple(kids)


def decode(row: StoredRow, registry: EventRegistry, key_of: OpeningKey) -> Envelope[Any]:
    """Return the envelope of a stored row; what cannot be decoded becomes an UnknownEvent, never an error."""
    cls = registry.find(row.type)
    event: Event
    if cls is None:
        event = UnknownEvent(raw=msgspec.Raw(row.data))
    else:
        try:
            event = _decode_event(cls, row, registry, key_of)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
            event = UnknownEvent(raw=msgspec.Raw(row.data), problem=f"{type(error).__name__}: {error}")
    return Envelope(
        position=row.position,
        tenant=row.tenant,
        stream_id=row.stream_id,
        version=row.version,
        type=row.type,
        schema_version=row.schema_version,
        recorded_at=row.recorded_at,
        command_id=row.command_id,
        correlation=row.correlation,
        actor=row.actor,
        event=event,
    )


def _decode_event(cls: type[Event], row: StoredRow, registry: EventRegistry, key_of: OpeningKey) -> Event:
    if row.schema_version < cls.SCHEMA_VERSION:
        state = registry.upcast(row.type, row.schema_version, msgspec.json.decode(row.data))
        event = msgspec.convert(state, cls)
    else:
        event = _decoder(cls).decode(row.data)
    if not row.key_ids:
        return event
    opened = {
        name: _open(cls, name, field, row, key_of)
        for name, field in msgspec.json.decode(row.data, type=_WithSealed).sealed.items()
    }
    return msgspec.structs.replace(event, **opened)


def _open(cls: type[Event], name: str, field: Sealed, row: StoredRow, key_of: OpeningKey) -> Any:
    key = key_of(field.kid)
    if key is None:
        return Erased(key_id=field.kid)
    context = _context(row.tenant, row.stream_id, row.version, row.type, name, field.kid)
    try:
        plain = key.aead.decrypt(field.nonce, field.ct, context)
    except InvalidTag:
        raise ValueError(f"the sealed field '{name}' does not open: it was moved or altered") from None
    return msgspec.json.decode(plain, type=_plain_type(cls, name))


def _context(tenant: str, stream_id: str, version: int, type_name: str, field: str, kid: str) -> bytes:
    return f"{tenant}|{stream_id}|{version}|{type_name}|{field}|{kid}".encode()


@cache
def _decoder(cls: type[Event]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cls)


@cache
def _plain_type(cls: type[Event], name: str) -> Any:
    return get_type_hints(cls)[name]
