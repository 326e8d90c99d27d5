"""How phone numbers are written: forms that speak for themselves, and what only looks like one."""

from __future__ import annotations

import re
from typing import Final

_GAP = r"[-. ]"
_NORTH_AMERICAN: Final = re.compile(
    rf"(?:\(?(?:\+|00|011{_GAP}?)?1\)?{_GAP}{{0,2}}|001{_GAP})?"
    rf"(?:\([0-9]{{3}}\){_GAP}{{0,2}}[0-9]{{3}}{_GAP}{{1,3}}[0-9]{{4}}"
    rf"|[0-9]{{3}}[-./]{_GAP}{{0,2}}[0-9]{{3}}{_GAP}{{1,3}}[0-9]{{4}}"
    rf"|[02-9][0-9]{{2}} {_GAP}{{0,2}}[0-9]{{3}}{_GAP}{{1,3}}[0-9]{{4}})"
)
_AREA_IN_PARENTHESES: Final = re.compile(
    r"(?:[0-9]{1,3}[- ]{0,2})?\((?!19|20)[0-9]{1,5}\)[- ]{0,3}[0-9][0-9 /-]*"
)
_CHINESE_MOBILE: Final = re.compile(r"1[3-9][0-9](?:[0-9]{8}|[- ][0-9]{4}[- ][0-9]{4})")
_AREA_BEFORE_SLASH: Final = re.compile(r"[1-9][0-9]/[0-9]{3}-[0-9]{3,4}|0-[1-9][0-9]{3}-[0-9]{4}")
_RUSSIAN: Final = re.compile(r"[78][- ]?\(?[0-9]{3}\)?[- ][0-9]{3}[- ][0-9]{2}[- ][0-9]{2}")
_TRUNK: Final = re.compile(r"\(?0[1-9][0-9]{0,4}\)?[-. /]")
_CODE_POINTS: Final = re.compile(r"0[0-9]{3}(?: 0[0-9]{3})+")
_NINE: Final = re.compile(
    r"[1-9][0-9]{2} [0-9]{3} [0-9]{3}|[2-9][0-9]{3} [0-9]{6}|[2-9][0-9] [0-9]{3} [0-9]{4}"
)
_GROUPED: Final = re.compile(r"[0-9]{2,5}(?:[ -][0-9]{2,5}){1,4}")
_MAY_BEGIN: Final = re.compile(
    rf"""
      [(+]*(?: 0
        | 1{_GAP}{{0,2}}\(?[0-9]{{3}}
        | [0-9]{{3}}[-./ ]{{1,3}}[0-9]{{3}}{_GAP}{{1,3}}[0-9]{{3}}
        | [0-9]{{1,5}}[- ]{{0,2}}[()]
        | [0-9]{{10,11}}(?![0-9])
        | [1-9][0-9]/[0-9]{{3}}-
        | [78][- ]?\(?[0-9]{{3}}
        | (?<![0-9][ ])(?<![0-9]-)[0-9]{{2,5}}[ -][0-9]{{2,6}}
      )
    | [(]?[+]
    """,
    re.VERBOSE,
)
TIMESTAMP: Final = re.compile(
    r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{0,6}|1[0-9]{9}|1[0-9]{12}"
)
THOUSANDS: Final = re.compile(r"\+?[0-9]{1,3}(?:[ .][0-9]{3})+")
LOCAL: Final = re.compile(r"[2-9][0-9]{2}[- ][0-9]{4}")
_YEARS: Final = re.compile(r"(?:(?:19|20)[0-9]{2}[ -])+(?:19|20)[0-9]{2}")
EXTENSION: Final = re.compile(
    r"""(?:\s?(?:x|ext\.?|extn\.?|extension|poste|anexo|ramal|доб\.?)\s?[.:]?\s?|\s?\#\s?)
        [0-9]{1,6}(?![0-9])""",
    re.VERBOSE | re.IGNORECASE,
)


def may_begin(text: str, start: int) -> bool:
    """Tell at little cost whether any form that speaks for itself may begin at these digits."""
    return _MAY_BEGIN.match(text, start) is not None


def is_north_american(piece: str) -> bool:
    """Tell the form of a number in the North American plan, such as `(415) 555-2671`."""
    return _NORTH_AMERICAN.fullmatch(piece) is not None


def is_shaped(piece: str, digits: int) -> bool:
    """Tell the writings that say phone number: North American, Chinese mobile, area set apart."""
    return (
        is_north_american(piece)
        or (digits == 11 and _CHINESE_MOBILE.fullmatch(piece) is not None)
        or (9 <= digits <= 13 and _AREA_IN_PARENTHESES.fullmatch(piece) is not None)
        or _AREA_BEFORE_SLASH.fullmatch(piece) is not None
        or (digits == 11 and _RUSSIAN.fullmatch(piece) is not None)
    )


def has_trunk(piece: str) -> bool:
    """Tell whether a trunk zero and an area code stand apart, as in `030 901820`."""
    return _TRUNK.match(piece) is not None


def is_list_of_codes(piece: str) -> bool:
    """Tell groups of four that all begin with a zero, as code points do."""
    return _CODE_POINTS.fullmatch(piece) is not None


def is_grouped(piece: str, sizes: tuple[int, ...]) -> bool:
    """Tell digits in groups of two to five, as people write the numbers of any country."""
    return (
        2 <= len(sizes) <= 5
        and (8 <= sum(sizes) <= 12 or LOCAL.fullmatch(piece) is not None)
        and min(sizes) >= 2
        and max(sizes) <= 5
        and _GROUPED.fullmatch(piece) is not None
        and _YEARS.fullmatch(piece) is None
    )


def is_nine(piece: str) -> bool:
    """Tell groups that are a phone number only in the right place, such as `612 345 678`."""
    return _NINE.fullmatch(piece) is not None
