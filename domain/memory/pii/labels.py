"""Words beside a number that say what it is; the label nearest to it on its left counts."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from domain.memory.pii.label_words import Kind, kind_of
from domain.memory.pii.segments import LEFT, RIGHT


class Label(msgspec.Struct, frozen=True):
    """The nearest label: `direct` when nothing but filling words stands between it and the number."""

    kind: Kind
    direct: bool
    same_line: bool


_WORD: Final = re.compile(r"[^\W\d_]+")
_FILLING: Final = re.compile(
    r"""(?: [\s\d\#:=.\-*_()\[\]/\\'"\u200b+\uff1a]
        | </?[a-z][a-z0-9]{0,9}/?>
        | (?:numbers?|no|num|nr|n[ºo°]|nummer|num[eé]ro|is|are|was|at|on|via|by|under|to|the|a|my|our|his|her
        |your|of|for|me|us|him|them|back|now|here|home|work|office|mobile|cell|main|line|direct|new|free|toll|usa?
        |uk|intl|and|or|de|di|unter|ist|je|lautet|sous|est|es|al|em|é|code|ending|like|please
        |mnie|pod|do|mich|mir|uns|dich|moi|nous|mig|mij|ons|op|på|om|al|a|o|meu|mio|mój|moj|nr|мне|по|saya
        |号码|号|是|为|至|番号|は|번호|는)\b
        )*""",
    re.VERBOSE | re.IGNORECASE,
)
_SHORT: Final = re.compile(r"(?:(?<![^\s,;|(/])[TtMmFfPpCcHhWwOo][.:]|[☎☏📞📱📲📠]\u200b?)\s{0,2}$")
_ASKED: Final = re.compile(r"(?<![.\w])(?:te?xt|I['\u2019 ]?a?m (?:at|on)) $", re.IGNORECASE)
_AFTER: Final = re.compile(
    r"""\s(?:is|was)\s(?:my|his|her|their|our|the)\s(?:new\s|home\s|work\s)?(?:cell|phone|whatsapp
        |number|mobile|fax|line)\b
      | [\s\-(\[/,\\:]{0,3}
        (?: (?:tele)?fax | (?:cell|tele|mobile|work|home)?\s?phone | tel | cell | mobil[ey]? | office | home
        | work | direct | main | landline | handy | fixed | portable | whatsapp | sms | m[oó]vil | pager
        | hotline )
        (?= \s* (?:$|[\n\r\\,;.:)\]|/"<-]) )""",
    re.VERBOSE | re.IGNORECASE,
)
_UNIT: Final = re.compile(
    r"""\s?(?: %|€|£|¥|₽|°|元|円
        | (?:usd|eur|gbp|rmb|cny|yuan|yen|jpy|dollars?|euros?|pounds?|bytes?|[kmgt]i?b|km|cm|mm|kg|mg|ml|ms
        |hz|px|mi|ft|people|users|times|units|pieces|steps|downloads|inhabitants|tokens|lines|rows|votes
        |visitors|points|xp|rpm|fps)\b )""",
    re.VERBOSE | re.IGNORECASE,
)
_MONEY: Final = re.compile(r"(?:[$€£¥₹₽]|\b(?:usd|eur|gbp|rmb|cny|inr|rs\.?))\s?$", re.IGNORECASE)


def label_before(text: str, start: int) -> Label | None:
    """Return the nearest label in the `LEFT` characters before `start`."""
    low = max(0, start - LEFT)
    if _SHORT.search(text, max(0, start - 5), start) or _ASKED.search(text, max(0, start - 12), start):
        return Label(Kind.PHONE, direct=True, same_line=True)
    words = list(_WORD.finditer(text, low, start))
    for index in range(len(words) - 1, -1, -1):
        before = words[index - 1][0].lower() if index else ""
        kind = kind_of(words[index][0].lower(), before)
        if kind is not None:
            between = text[words[index].end() : start]
            return Label(kind, _FILLING.fullmatch(between) is not None, "\n" not in between)
    return None


def phone_word_after(text: str, end: int) -> bool:
    """Tell whether a word such as `fax` or `mobile` closes the number off on its right."""
    return _AFTER.match(text, end, end + RIGHT) is not None


def is_quantity(text: str, start: int, end: int) -> bool:
    """Tell whether a currency or a unit makes the number an amount."""
    return (
        _UNIT.match(text, end, end + RIGHT) is not None
        or _MONEY.search(text, max(0, start - 6), start) is not None
    )
