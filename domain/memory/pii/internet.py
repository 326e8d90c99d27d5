"""Internet addresses of a person's connection: IPv4 and IPv6, apart from versions and reserved addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

_FOUR: Final = re.compile(r"[0-9](?<![\w.+-][0-9])[0-9]{0,2}\.(?:[0-9]{1,3}\.){2}[0-9]{1,3}(?![\w+]|[.-]\w)")
_SIX: Final = re.compile(
    r"(?<![\w:.])(?=[0-9a-f:]*[0-9])[0-9a-f]{0,4}:(?>[0-9a-f:]{2,36})(?:[0-9]{0,3}(?:\.[0-9]{1,3}){3})?(?![\w:])",
    re.IGNORECASE,
)
_TWO_COLONS: Final = re.compile(r":[0-9a-fA-F]{0,4}:")
_VERSION: Final = re.compile(r"(?:\bv|\bver|\bversion|\brelease|[=<>~^]=?)[\s:.]{0,3}$", re.IGNORECASE)


def internet_addresses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the `(start, end)` of each address in `text[start:end]` that may lead to a person."""
    for match in _FOUR.finditer(text, start, end):
        if _is_four(match[0]) and not _VERSION.search(text, max(0, match.start() - 12), match.start()):
            yield match.span()
    if not _TWO_COLONS.search(text, start, end):
        return
    for match in _SIX.finditer(text, start, end):
        if _is_six(match[0]):
            yield match.span()


def _is_four(written: str) -> bool:
    try:
        address = IPv4Address(written)
    except AddressValueError:
        return False
    return not (
        address.is_loopback or address.is_unspecified or address.is_multicast or int(address) < 1 << 24
    )


def _is_six(written: str) -> bool:
    if written.count(":") < 3 and not written.count("::"):
        return False
    try:
        address = IPv6Address(written)
    except AddressValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast) and len(written) > 5
