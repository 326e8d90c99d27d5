"""PostgreSQL's binary array format for the four column types of the log, without a general type system."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

_HEAD = struct.Struct(">iiIii").pack
_LENGTH = struct.Struct(">i").pack
_INT8 = struct.Struct(">iq").pack
_TEXT_OID, _BYTEA_OID, _INT8_OID, _TIMESTAMPTZ_OID = 25, 17, 20, 1184
_POSTGRES_EPOCH_US = 946_684_800_000_000
_EMPTY = struct.Struct(">iiI").pack
EMPTY_TEXTS = _EMPTY(0, 0, _TEXT_OID)


def texts(items: Sequence[bytes]) -> bytes:
    """Encode UTF-8 texts as text[]."""
    return _varying(_TEXT_OID, items)


def blobs(items: Sequence[bytes]) -> bytes:
    """Encode byte strings as bytea[]."""
    return _varying(_BYTEA_OID, items)


def bigints(items: Sequence[int]) -> bytes:
    """Encode integers as bigint[]."""
    return _bigint_array(_INT8_OID, items)


def timestamps(microseconds: Sequence[int]) -> bytes:
    """Encode microseconds since 1970-01-01 UTC as timestamptz[]."""
    return _bigint_array(_TIMESTAMPTZ_OID, [us - _POSTGRES_EPOCH_US for us in microseconds])


def _varying(oid: int, items: Sequence[bytes]) -> bytes:
    if not items:
        return _EMPTY(0, 0, oid)
    parts = [_HEAD(1, 0, oid, len(items), 1)]
    for item in items:
        parts += (_LENGTH(len(item)), item)
    return b"".join(parts)


def _bigint_array(oid: int, items: Iterable[int]) -> bytes:
    encoded = [_INT8(8, item) for item in items]
    if not encoded:
        return _EMPTY(0, 0, oid)
    return _HEAD(1, 0, oid, len(encoded), 1) + b"".join(encoded)
