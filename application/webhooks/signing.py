"""Signs what is sent, as the Standard Webhooks specification has it: https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

PREFIX = "whsec_"


def secret_of(seed: bytes) -> str:
    """Return 32 random bytes as receivers are given them."""
    return PREFIX + base64.b64encode(seed).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return `v1,<base64 of HMAC-SHA256>` over id, seconds since 1970 and body."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers_of(secret: str, message_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """Return the headers of one attempt."""
    timestamp = int(at.timestamp())
    return {
        "content-type": "application/json",
        "user-agent": "aios-webhooks/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }
