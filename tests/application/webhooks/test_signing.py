"""Signatures are those of the Standard Webhooks specification."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from application.webhooks.signing import headers_of, secret_of, signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_the_example_of_the_specification_verifies():
    found = signature(SECRET, MESSAGE, 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_headers_carry_the_id_the_time_and_the_signature_of_both():
    at = datetime.fromtimestamp(1614265330, UTC)
    found = headers_of(SECRET, MESSAGE, at, b"{}")
    assert (found["webhook-id"], found["webhook-timestamp"]) == (MESSAGE, "1614265330")
    assert found["webhook-signature"] == signature(SECRET, MESSAGE, 1614265330, b"{}")


def test_a_secret_is_32_bytes_behind_a_prefix():
    found = secret_of(b"s" * 32)
    assert base64.b64decode(found.removeprefix("whsec_")) == b"s" * 32
