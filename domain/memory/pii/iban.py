"""International bank account numbers: country, length and check digits of ISO 13616."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_REGISTRY: Final = """
    AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24
    DE:22 DJ:27 DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27
    GT:28 HN:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20
    LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 MR:27 MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24
    PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25
    SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30
"""
_LENGTHS: Final = {pair[:2]: int(pair[3:]) for pair in _REGISTRY.split()}
_HEAD: Final = re.compile(
    r"[0-9](?<=[A-Za-z]{2}[0-9])(?<![A-Za-z0-9][A-Za-z]{2}[0-9])[0-9](?=[ -]?[A-Za-z0-9])"
)
_WHOLE: Final = {
    length: re.compile(rf"[A-Za-z0-9](?>[ -]?[A-Za-z0-9]){{{length - 1}}}")
    for length in set(_LENGTHS.values())
}


def has_check_digits(account: str) -> bool:
    """Verify an IBAN without separators by modulus 97 (ISO 7064)."""
    turned = account[4:] + account[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def account_numbers(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the `(start, end)` of each IBAN in `text[start:end]`."""
    for head in _HEAD.finditer(text, start, end):
        begin = head.start() - 2
        length = _LENGTHS.get(text[begin : begin + 2].upper(), 0)
        if not length or begin < start:
            continue
        stop = _end_of(text, begin, length, end)
        if stop and not text[stop : stop + 1].isalnum() and _is_account(text[begin:stop]):
            yield begin, stop


def _end_of(text: str, start: int, length: int, limit: int) -> int:
    whole = _WHOLE[length].match(text, start, limit)
    return whole.end() if whole else 0


def _is_account(written: str) -> bool:
    account = written.replace(" ", "").replace("-", "")
    if written != written.upper() and not written.islower():
        return False
    return has_check_digits(account)
