"""How an API key is made and recognised: from given random bytes, and by its SHA-256 alone."""

from __future__ import annotations

import base64
import hashlib

import msgspec

SEED_BYTES = 32
SHORTEST_OPERATOR_KEY = 16
LONGEST_KEY = 512


class PlainKey(msgspec.Struct, frozen=True):
    """A new key: `text` is shown once and never stored; `prefix` may be shown for ever."""

    key_id: str
    text: str
    key_hash: str

    @property
    def prefix(self) -> str:
        """Return the part of the key that lists show."""
        return f"aios_{self.key_id}"

    def __repr__(self) -> str:
        return f"PlainKey({self.key_id}, ***)"


def plain_key(seed: bytes) -> PlainKey:
    """Make the key `aios_<12 characters>_<secret>` from 32 random bytes; the same seed, the same key."""
    if len(seed) != SEED_BYTES:
        raise ValueError(f"a key is made from {SEED_BYTES} random bytes, not {len(seed)}")
    key_id = _letters(hashlib.sha256(b"aios key id\0" + seed).digest())[:12]
    secret = _letters(hashlib.sha256(b"aios key secret\0" + seed).digest())
    text = f"aios_{key_id}_{secret}"
    return PlainKey(key_id, text, hash_of(text))


def bootstrap_key_id(key_hash: str, generation: int) -> str:
    """Return the id of the operator's own key; `generation` tells a value that was set again from before."""
    return "op" + _letters(hashlib.sha256(f"{key_hash}:{generation}".encode()).digest())[:10]


def digest_of(presented: str) -> bytes:
    """Return the SHA-256 of a presented key, by which it is looked up."""
    return hashlib.sha256(presented.encode("utf-8", "surrogatepass")).digest()


def hash_of(text: str) -> str:
    """Return the SHA-256 of a whole key as lower-case hexadecimal digits, the form that events hold."""
    return digest_of(text).hex()


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()
