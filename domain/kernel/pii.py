"""The words for personal data in texts: its kinds, and what may stand in its place.

They stand in the kernel because policies of several contexts name them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class PiiType(StrEnum):
    """Kinds of personal data that can be told without a language model."""

    EMAIL = "EMAIL"
    PHONE = "PHONE"
    SSN = "SSN"
    CREDIT_CARD = "CREDIT_CARD"
    IBAN = "IBAN"
    IP_ADDRESS = "IP_ADDRESS"
    ITIN = "ITIN"


class ScrubMode(StrEnum):
    """What stands where personal data stood."""

    REDACT = "redact"
    PLACEHOLDER = "placeholder"
    PSEUDONYM = "pseudonym"


STANDARD_TYPES: Final = frozenset({PiiType.EMAIL, PiiType.PHONE, PiiType.SSN, PiiType.CREDIT_CARD})
ALL_TYPES: Final = frozenset(PiiType)
