"""Leaf hashes and the hash chain over stored ciphertext; erasing a data key therefore changes no hash.

    leaf  = SHA-256(0x00 | position | tenant | stream | version | type | schema_version | recorded_at
                    | command_id | correlation | actor | key ids | stored bytes)
    chain = SHA-256(0x02 | chain of the event before | leaf)

Integers are big-endian (position and version 8 bytes, schema_version 2, recorded_at 8 bytes of microseconds
since 1970); texts and bytes are preceded by their length in 4 bytes, the list of key ids by its count. 0x00
is the leaf prefix of RFC 9162; 0x02 keeps a chain value from ever being taken for a leaf or a tree node.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

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


def leaf_hash(  # the columns of one event, each covered by the hash
    position: int,
    tenant: bytes,
    stream_id: bytes,
    version: int,
    type_name: bytes,
    schema_version: int,
    recorded_at_us: int,
    command_id: bytes,
    correlation: bytes,
    actor: bytes,
    key_ids: Sequence[bytes],
    data: bytes,
) -> bytes:
    """Return the 32-byte leaf hash of a stored event; texts come UTF-8 encoded."""
    parts = [
        _POSITION(b"\0", position),
        _LENGTH(len(tenant)),
        tenant,
        _LENGTH(len(stream_id)),
        stream_id,
        _VERSION(version),
        _LENGTH(len(type_name)),
        type_name,
        _SCHEMA_AND_TIME(schema_version, recorded_at_us),
        _LENGTH(len(command_id)),
        command_id,
        _LENGTH(len(correlation)),
        correlation,
        _LENGTH(len(actor)),
        actor,
        _LENGTH(len(key_ids)),
    ]
    for key_id in key_ids:
        parts += (_LENGTH(len(key_id)), key_id)
    parts += (_LENGTH(len(data)), data)
    return hashlib.sha256(b"".join(parts)).digest()


def extend(chain: bytes, leaf: bytes) -> bytes:
    """Return the chain value after one more leaf."""
    return hashlib.sha256(b"\2" + chain + leaf).digest()
