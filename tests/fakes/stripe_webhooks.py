"""Sends a fake Stripe's events as signed webhooks: once, twice, in another order, or badly signed."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256
from typing import Any

from tests.fakes.stripe_shapes import Values

Post = Callable[[bytes, str], Awaitable[Any]]


def signed(body: bytes, secret: str, at: float) -> str:
    """Return the Stripe-Signature of a body."""
    stamp = int(at)
    mark = hmac.new(secret.encode(), f"{stamp}.".encode() + body, sha256).hexdigest()
    return f"t={stamp},v1={mark},v0=ignored"


def body_of(event: Values) -> bytes:
    """Return an event as it is sent."""
    return json.dumps(event, indent=2).encode()


async def deliver(events: Iterable[Values], post: Post, secret: str, at: float) -> list[Any]:
    """Send events one after the other; returns what came back."""
    return [await post(body, signed(body, secret, at)) for body in map(body_of, events)]
