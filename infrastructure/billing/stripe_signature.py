"""Checks the signature of Stripe's webhooks: raw body, any of our secrets, at most five minutes old."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

import msgspec

from application.billing.payment_system import Notice
from domain.kernel.errors import InvalidInput, Unauthenticated
from infrastructure.billing.stripe_shapes import notice_of

TOLERANCE_S = 300
SCHEME = "v1"


class StripeNotices:
    """Implements `NoticeReader`. More than one secret is valid while an old one is being replaced.

    The time comes in as an argument, which the SDK's own check does not allow. Raises ValueError for an empty
    secret, under which anybody could sign.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets or not all(secrets):
            raise ValueError("a webhook secret is empty, so anybody could sign")
        self._secrets = tuple(secret.encode() for secret in secrets)

    def read(self, body: bytes, signature: str, now: datetime) -> Notice:
        """Return the notice in a signed body. Raises Unauthenticated, InvalidInput."""
        stamp, signatures = _parts(signature)
        if not any(self._signed(body, stamp, secret, signatures) for secret in self._secrets):
            raise Unauthenticated("the Stripe-Signature does not fit the body and any of the secrets")
        if abs(now.timestamp() - stamp) > TOLERANCE_S:
            raise Unauthenticated(f"the Stripe-Signature is not within {TOLERANCE_S} s of now")
        try:
            return notice_of(msgspec.json.decode(body, type=dict))
        except (
            msgspec.MsgspecError,
            KeyError,
            TypeError,
            AttributeError,
            ValueError,
            OverflowError,
        ) as error:
            raise InvalidInput.at(
                "", "this is no Stripe event with id, type, created and data.object"
            ) from error

    @staticmethod
    def _signed(body: bytes, stamp: int, secret: bytes, signatures: Sequence[str]) -> bool:
        expected = hmac.new(secret, f"{stamp}.".encode() + body, sha256).hexdigest()
        return any(hmac.compare_digest(expected.encode(), given.encode()) for given in signatures)


def _parts(header: str) -> tuple[int, list[str]]:
    pairs = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == SCHEME]
    if len(stamps) != 1 or not stamps[0].isascii() or not stamps[0].isdigit() or len(stamps[0]) > 12:
        raise Unauthenticated("send the header Stripe-Signature: t=TIME,v1=SIGNATURE")
    return int(stamps[0]), signatures
