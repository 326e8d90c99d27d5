"""Leaf hashes and the hash chain over stored ciphertext; erasing a data key therefore changes no hash.

    leaf  = SHA-256(0x00 | position | tenant | stream | version | type | schema_version | recorded_at
                    | command_id | correlation | actor | key ids | stored bytes)
    chain = SHA-256(0x02 | chain of the event before | leaf)

Integers are big-endian (position and version 8 bytes, schema_version 2, recorded_at 8 bytes of microseconds
since 1970); texts and bytes are preceded by their length in 4 bytes, the list of key ids by its count. 0x00
is the leaf prefix of RFC 9162; 0x02 keeps a chain value from ever being taken for a leaf or a tree node.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

GENESIS = bytes(32)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_POSITION = struct.Struct(">cQ").pack
_LENGTH = struct.Struct(">I").pack
_VERSION = struct.Struct(">Q").pack
_SCHEMA_AND_TIME = struct.Struct(">Hq").pack


def microseconds(at: datetime) -> int:
    """Return whole microseconds since 1970-01-01 UTC."""
    return (at - _EPOCH) // _MICROSECOND


def leaf_hash(
    position: int,
    tenant: str,
    stream_id: str,
    version: int,
    type_name: str,
    schema_version: int,
    recorded_at_us: int,
    command_id: str,
    correlation: str,
    actor: str,
    key_ids: Sequence[str],
    data: bytes,
) -> bytes:
    """Return the 32-byte leaf hash of a stored event."""
    return leaf_of_prefixed(
        position,
        _prefixed(tenant.encode()),
        _prefixed(stream_id.encode()),
        version,
        _prefixed(type_name.encode()),
        schema_version,
        recorded_at_us,
        b"".join([_prefixed(text.encode()) for text in (command_id, correlation, actor)]),
        counted(tuple(key_ids)),
        _prefixed(data),
    )


def leaf_of_prefixed(
    position: int,
    tenant: bytes,
    stream_id: bytes,
    version: int,
    type_name: bytes,
    schema_version: int,
    recorded_at_us: int,
    origin: bytes,
    keys: bytes,
    data: bytes,
) -> bytes:
    """Return the leaf hash where every text comes as UTF-8 behind its length.

    `keys` is of `counted`; `origin` is command id, correlation and actor in a row.
    """
    return sha256(
        b"".join(
            (
                _POSITION(b"\0", position),
                tenant,
                stream_id,
                _VERSION(version),
                type_name,
                _SCHEMA_AND_TIME(schema_version, recorded_at_us),
                origin,
                keys,
                data,
            )
        )
    ).digest()


@lru_cache(4096)
def counted(key_ids: tuple[str, ...]) -> bytes:
    """Return a list of key ids as a leaf has it: most events are sealed by the keys of a few others."""
    return _LENGTH(len(key_ids)) + b"".join([_prefixed(key_id.encode()) for key_id in key_ids])


def _prefixed(raw: bytes) -> bytes:
    return _LENGTH(len(raw)) + raw


def extend(chain: bytes, leaf: bytes) -> bytes:
    """Return the chain value after one more leaf."""
    return sha256(b"\2" + chain + leaf).digest()
