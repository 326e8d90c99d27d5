"""Makes identifiers that sort by time and may stand in any URL, header or log."""

from __future__ import annotations

import os
import time
from typing import Final

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
PAIRS: Final = [first + second for first in ALPHABET for second in ALPHABET]
TIME_DIGITS: Final = 10
RANDOM_DIGITS: Final = 16
RANDOM_BYTES: Final = 10


def time_ordered_id(prefix: str) -> str:
    """Return `prefix_` and a ULID in lower case: 48 bits of milliseconds, 80 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(RANDOM_BYTES))
    return f"{prefix}_{_digits(milliseconds, TIME_DIGITS)}{_digits(noise, RANDOM_DIGITS)}"


def _digits(value: int, count: int) -> str:
    return "".join([PAIRS[(value >> shift) & 1023] for shift in range(5 * (count - 2), -1, -10)])
