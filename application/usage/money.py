"""Amounts of money as clients give them."""

from __future__ import annotations

from domain.kernel.errors import InvalidInput

CURRENCY = "USD"


def check_currency(currency: str, pointer: str = "/currency") -> None:
    """Raise InvalidInput unless it is the one that usage is counted in."""
    if currency != CURRENCY:
        raise InvalidInput.at(
            pointer, f"'{currency[:20]}' is not known here: usage is counted in US dollars; use {CURRENCY}"
        )
