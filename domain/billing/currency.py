"""Currencies and how many decimals their smallest unit has; money is whole numbers of that unit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from domain.kernel.errors import InvalidInput

ATTO = 10**18
"""Exact amounts are integers of 10^-18 of a currency's unit; a price times a quantity needs no rounding."""

ZERO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
TWO_DECIMALS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP "
    "CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD KES "
    "KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK "
    "NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD SAR SBD SCR SEK SGD SHP SLE SOS SRD STN SZL THB TJS TOP TRY "
    "TTD TWD TZS UAH USD UYU UZS WST XCD YER ZAR ZMW"
)
THREE_DECIMALS = "BHD JOD KWD OMR TND"
DECIMALS: Mapping[str, int] = {
    **dict.fromkeys(ZERO_DECIMALS.split(), 0),
    **dict.fromkeys(TWO_DECIMALS.split(), 2),
    **dict.fromkeys(THREE_DECIMALS.split(), 3),
}
MOST_MINOR = 10**12


def step_of(currency: str) -> int:
    """Return the smallest amount that can be charged, in minor units.

    Cards settle currencies with three decimals in hundredths, so their last digit is 0.
    """
    return 10 if DECIMALS[currency] == 3 else 1


def rounded(exact: int, currency: str) -> int:
    """Round an exact amount (10^-18 of the unit) to minor units, halves away from zero."""
    step = step_of(currency)
    unit: int = ATTO * step // 10 ** DECIMALS[currency]
    whole, rest = divmod(abs(exact), unit)
    whole += 2 * rest >= unit
    return (whole if exact >= 0 else -whole) * step


def minor_text(minor: int, currency: str) -> str:
    """Write minor units as a decimal string of the currency's unit: 1250 USD cents are `12.50`."""
    decimals = DECIMALS[currency]
    return f"{Decimal(minor).scaleb(-decimals):.{decimals}f}"


def minor_of(amount: Decimal, currency: str, pointer: str) -> int:
    """Convert an amount to minor units. Raises InvalidInput unless it is a payable amount from 0 on."""
    decimals, step = DECIMALS[currency], step_of(currency)
    scaled = amount.scaleb(decimals) if amount.is_finite() and abs(amount) < 10**15 else None
    if scaled is None or scaled < 0 or scaled > MOST_MINOR or scaled % step != 0:
        smallest = minor_text(step, currency)
        detail = f"use 0 to {minor_text(MOST_MINOR, currency)} {currency} in steps of {smallest}"
        raise InvalidInput.at(pointer, detail)
    return int(scaled)


def check_currency(currency: str, pointer: str = "/currency") -> None:
    """Raise InvalidInput for a currency that is not known."""
    if currency not in DECIMALS:
        raise InvalidInput.at(pointer, f"'{currency[:8]}' is no currency known here; use a code such as USD")
