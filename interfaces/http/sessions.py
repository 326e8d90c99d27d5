"""The console's session token: sealed, short-lived, bound to an API key's id; the key itself is not in it.

A session ends with its key: every request looks the key up again by its id.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from datetime import datetime, timedelta
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

COOKIE: Final = "aios_session"
LIFETIME: Final = timedelta(hours=8)
PURPOSE: Final = b"aios console session 1"
NONCE_BYTES: Final = 12


class Session(msgspec.Struct, frozen=True, array_like=True):
    """Which key signed in, and until when."""

    tenant: str
    key_id: str
    expires_at: datetime


def seal(session: Session, secret: bytes) -> str:
    """Return the cookie's value for a session; `secret` is 32 bytes, the same on every process."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + AESGCM(secret).encrypt(nonce, msgspec.msgpack.encode(session), PURPOSE)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(token: str, secret: bytes, at: datetime) -> Session | None:
    """Return the session of a cookie, None when it was not sealed here or has ended."""
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        plain = AESGCM(secret).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], PURPOSE)
        session = msgspec.msgpack.decode(plain, type=Session)
    except (ValueError, binascii.Error, InvalidTag, msgspec.MsgspecError):
        return None
    return session if session.expires_at > at else None
