"""The world's numbering plans, from the metadata of the `phonenumbers` library (libphonenumber).

The metadata are compiled to one set of lengths and one pattern a country code, on first use: asking costs a
dictionary look-up and a regular expression, where the library's own parser takes a hundred times as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

REGION_OF_NO_COUNTRY = "001"
TRUNK_ZERO_REGIONS = [
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
    "MY",
    "NG",
    "NL",
    "NZ",
    "PH",
    "PK",
    "RO",
    "RS",
    "SE",
    "SI",
    "SK",
    "TH",
    "TR",
    "TW",
    "UA",
    "VN",
    "ZA",
]
_CODES = frozenset(map(str, COUNTRY_CODE_TO_REGION_CODE))
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

    def is_country(self, digits: str) -> bool:
        """Tell whether digits begin with a country code."""
        return _country_code(digits) != ""

    def is_international(self, digits: str) -> bool:
        """Tell whether `+digits` has a known country code and a length that is in use in that country."""
        code = _country_code(digits)
        return code != "" and len(digits) - len(code) in _lengths(code)

    def is_assigned(self, digits: str) -> bool:
        """Tell whether `+digits` lies in a range that its country has assigned."""
        code = _country_code(digits)
        return code != "" and _assigned(code).fullmatch(digits, len(code)) is not None

    def is_national(self, digits: str) -> bool:
        """Tell whether the digits behind the trunk zero are a number in a country that dials one."""
        return digits.startswith("0") and _national_numbers().fullmatch(digits, 1) is not None


def _country_code(digits: str) -> str:
    if digits[:1] in _CODES:
        return digits[:1]
    if digits[:2] in _CODES:
        return digits[:2]
    return digits[:3] if digits[:3] in _CODES else ""


@cache
def _lengths(code: str) -> frozenset[int]:
    return frozenset(
        length
        for metadata in _plans_of(code)
        if metadata.general_desc is not None
        for length in metadata.general_desc.possible_length
    )


@cache
def _assigned(code: str) -> re.Pattern[str]:
    return _any_of(pattern for metadata in _plans_of(code) for pattern in _patterns(metadata))


@cache
def _national_numbers() -> re.Pattern[str]:
    found = [PhoneMetadata.metadata_for_region(region) for region in TRUNK_ZERO_REGIONS]
    return _any_of(pattern for metadata in found if metadata for pattern in _patterns(metadata))


def _plans_of(code: str) -> Iterator[PhoneMetadata]:
    for region in COUNTRY_CODE_TO_REGION_CODE[int(code)]:
        metadata = (
            PhoneMetadata.metadata_for_nongeo_region(int(code))
            if region == REGION_OF_NO_COUNTRY
            else PhoneMetadata.metadata_for_region(region)
        )
        if metadata is not None:
            yield metadata


def _patterns(metadata: PhoneMetadata) -> Iterator[str]:
    for kind in _KINDS:
        numbers = getattr(metadata, kind, None)
        if numbers is not None and numbers.national_number_pattern:
            yield numbers.national_number_pattern


def _any_of(patterns: Iterator[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in sorted(set(patterns))) or r"(?!)")
