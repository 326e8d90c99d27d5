"""PostgreSQL's binary array format for the column types of the log, without a general type system."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from infrastructure.event_store.prepared import prefixed

TEXT, BYTEA, INT8 = 25, 17, 20
_HEAD = struct.Struct(">iiIii").pack
_EMPTY = struct.Struct(">iiI").pack
_INT8 = struct.Struct(">iq").pack
_POSTGRES_EPOCH_US = 946_684_800_000_000


def joined(oid: int, elements: Sequence[bytes]) -> bytes:
    """Encode an array whose elements are encoded already, each behind its length."""
    if not elements:
        return _EMPTY(0, 0, oid)
    return _HEAD(1, 0, oid, len(elements), 1) + b"".join(elements)


def texts(items: Iterable[str]) -> bytes:
    """Encode texts as text[]."""
    return joined(TEXT, [prefixed(item.encode()) for item in items])


def bigints(items: Iterable[int]) -> bytes:
    """Encode integers as bigint[]."""
    return joined(INT8, [_INT8(8, item) for item in items])


def bigint(value: int) -> bytes:
    """Encode one bigint."""
    return value.to_bytes(8, "big", signed=True)


def timestamp(microseconds: int) -> bytes:
    """Encode microseconds since 1970-01-01 UTC as one timestamptz."""
    return bigint(microseconds - _POSTGRES_EPOCH_US)
