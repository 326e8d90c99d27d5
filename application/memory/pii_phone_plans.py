"""The world's numbering plans, as the `phonenumbers` library (metadata of libphonenumber) knows them."""

from __future__ import annotations

import re
from functools import cache

import phonenumbers
from phonenumbers import PhoneMetadata

TRUNK_ZERO_REGIONS = (
    *(
        "AT",
        "AU",
        "BE",
        "BG",
        "BR",
        "CH",
        "CN",
        "DE",
        "EG",
        "FI",
        "FR",
        "GB",
        "HR",
        "ID",
        "IE",
        "IL",
        "IN",
        "JP",
        "KE",
        "KR",
    ),
    *("MY", "NG", "NL", "NZ", "PH", "PK", "RO", "RS", "SE", "SI", "SK", "TH", "TR", "TW", "UA", "VN", "ZA"),
)
_KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "uan",
    "personal_number",
)


class LibraryPhonePlans:
    """Answers `domain.memory.pii.phones.PhonePlans` from the library's metadata."""

    def is_international(self, digits: str) -> bool:
        """Tell whether `+digits` has a known country code and a length that is possible in that country."""
        number = _parsed(digits)
        return number is not None and phonenumbers.is_possible_number(number)

    def is_assigned(self, digits: str) -> bool:
        """Tell whether `+digits` lies in a range that its country has assigned."""
        number = _parsed(digits)
        return number is not None and phonenumbers.is_valid_number(number)

    def is_national(self, digits: str) -> bool:
        """Tell whether the digits behind the trunk zero are a number in a country that dials one."""
        return digits.startswith("0") and _national_numbers().fullmatch(digits, 1) is not None


def _parsed(digits: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return None


@cache
def _national_numbers() -> re.Pattern[str]:
    patterns = set()
    for region in TRUNK_ZERO_REGIONS:
        metadata = PhoneMetadata.metadata_for_region(region)
        kinds = (getattr(metadata, kind, None) for kind in _KINDS)
        patterns |= {
            kind.national_number_pattern
            for kind in kinds
            if kind is not None and kind.national_number_pattern
        }
    return re.compile("|".join(f"(?:{pattern})" for pattern in sorted(patterns)))
