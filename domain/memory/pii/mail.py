"""Mail addresses by their grammar: as typed, escaped, or written as `name [at] host [dot] com`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from domain.memory.pii.folding import FILLER
from domain.memory.pii.label_words import Kind
from domain.memory.pii.labels import label_before

_Rule = Callable[[str, re.Match[str], int, int], tuple[int, int] | None]
_LONGEST_LOCAL: Final = 64
_ESCAPED: Final = frozenset("nrt")
_LONGEST_DOMAIN: Final = 254
_EUROPEAN: Final = "\u00c0-\u024f\u0370-\u03ff\u0400-\u052f\u1e00-\u1eff"
_AT: Final = re.compile(r"@|%40|&#(?:64|x40);")
_WRITTEN_AT: Final = re.compile(
    r"""\s?[\[(]\s?(?:at|@)\s?[\])]\s? | \sat\s(?=[a-z0-9-]{2,30}(?:\sdot\s|\.[a-z])) | \s@\s
      | @(?=[a-z0-9-]{2,30}(?:\sdot\s|\s?[\[(]\s?dot\s?[\])]))""",
    re.VERBOSE | re.IGNORECASE,
)
_DOT: Final = r"(?:\.|\s?[\[(]\s?(?:dot|\.)\s?[\])]\s?|\sdot\s|\s\.\s)"
_LOCAL: Final = re.compile(rf"[A-Za-z0-9._+'\-{_EUROPEAN}{FILLER}]{{1,{_LONGEST_LOCAL}}}")
_ANY_LOCAL: Final = re.compile(rf"[\w.+'\-{FILLER}]{{1,{_LONGEST_LOCAL}}}")
_QUOTED_LOCAL: Final = re.compile(rf'"[^\s"@]{{1,{_LONGEST_LOCAL - 2}}}')
_WRITTEN_LOCAL: Final = re.compile(
    rf"[\w+-]{{1,{_LONGEST_LOCAL}}}(?:(?:\.|\s?[\])]\s?tod\s?[\[(]\s?|\s(?:tod|erocsrednu|hsad|nehpyh)\s)[\w+-]{{1,{_LONGEST_LOCAL}}}){{0,3}}",
    re.IGNORECASE,
)


def _domain(dot: str, character: str, ending: str) -> re.Pattern[str]:
    label = rf"{character}(?:(?:{character}|[-{FILLER}]){{0,61}}{character})?"
    return re.compile(
        rf"(?:{label}{dot}){{1,8}}(?:{ending}|xn--[a-z0-9-]{{2,59}})(?![A-Za-z0-9])", re.IGNORECASE
    )


_ASCII_DOMAIN: Final = _domain(r"\.", "[A-Za-z0-9]", r"[A-Za-z]{2,24}")
_ANY_DOMAIN: Final = _domain(r"\.", r"[^\W_]", r"[^\W\d_]{2,24}")
_WRITTEN_DOMAIN: Final = _domain(_DOT, "[A-Za-z0-9]", r"[A-Za-z]{2,24}")
_ADDRESS_LITERAL: Final = re.compile(
    r"\[(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|IPv6:[0-9a-f:.]{2,45})\]", re.IGNORECASE
)
_NO_COUNTRY: Final = """
    png jpg jpeg gif svg webp bmp ico css scss js mjs cjs jsx ts tsx json html htm xml yml yaml toml txt
    pdf php java class jar whl gz tgz lock log ini cfg conf exe dll mp3 mp4 wav
    service socket timer mount slice
"""
_FILE_ENDINGS: Final = frozenset(_NO_COUNTRY.split())
_PROVIDERS: Final = """
    gmail googlemail yahoo hotmail outlook live icloud proton protonmail aol gmx msn qq mail yandex fastmail
"""
_POSTMEN: Final = frozenset(_PROVIDERS.split())
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,15}://[^\s/]{0,64}$", re.IGNORECASE)
_SPOKEN_DOT: Final = re.compile(r"\sdot\s", re.IGNORECASE)
_TELLING: Final = re.compile(r"[\d._+]|\s(?:dot|underscore|dash|hyphen)\s", re.IGNORECASE)
_VERSION: Final = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}[.-]")
_MACHINES: Final = frozenset({"git", "hg", "svn"})


def mail_addresses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the `(start, end)` of each address in `text[start:end]`."""
    yield from _found(text, _AT, _typed, start, end)
    yield from _found(text, _WRITTEN_AT, _written, start, end)


def _found(text: str, sign: re.Pattern[str], rule: _Rule, start: int, end: int) -> Iterator[tuple[int, int]]:
    floor = start
    for at in sign.finditer(text, start, end):
        found = rule(text, at, floor, end) if at.start() >= floor else None
        if found is not None:
            yield found
            floor = found[1]


def _typed(text: str, at: re.Match[str], floor: int, limit: int) -> tuple[int, int] | None:
    domain = (
        _ASCII_DOMAIN.match(text, at.end(), min(limit, at.end() + _LONGEST_DOMAIN))
        or _ANY_DOMAIN.match(text, at.end(), min(limit, at.end() + _LONGEST_DOMAIN))
        or _ADDRESS_LITERAL.match(text, at.end(), min(limit, at.end() + 64))
    )
    if domain is None:
        return None
    begin = _local_start(text, at.start(), floor)
    if begin is None or _belongs_to_a_machine(text, begin, at.start(), domain):
        return None
    return begin, domain.end()


def _local_start(text: str, end: int, floor: int) -> int | None:
    reverse = text[max(floor, end - _LONGEST_LOCAL) : end][::-1]
    local = _LOCAL.match(reverse) or _ANY_LOCAL.match(reverse) or _QUOTED_LOCAL.match(reverse)
    if local is None:
        return None
    kept = local[0].rstrip(".'-" + FILLER)
    begin = end - len(kept)
    if kept[-1:] in _ESCAPED and text[max(0, begin - 1) : begin] == "\\":
        kept, begin = kept[:-1], begin + 1
    return begin if kept.strip("._+'-") else None


def _belongs_to_a_machine(text: str, begin: int, at: int, domain: re.Match[str]) -> bool:
    ending = domain[0].rpartition(".")[2].lower()
    return (
        ending in _FILE_ENDINGS
        or _VERSION.match(text, domain.start()) is not None
        or text[begin:at].lower() in _MACHINES
        or text.startswith("()", domain.end())
        or _URL.search(text, max(0, begin - 48), begin) is not None
    )


def _written(text: str, at: re.Match[str], floor: int, limit: int) -> tuple[int, int] | None:
    domain = _WRITTEN_DOMAIN.match(text, at.end(), min(limit, at.end() + 128))
    local = _WRITTEN_LOCAL.match(text[max(floor, at.start() - _LONGEST_LOCAL) : at.start()][::-1])
    if domain is None or local is None:
        return None
    begin = at.start() - local.end()
    if not _is_meant(text, begin, at, domain):
        return None
    return begin, domain.end()


def _is_meant(text: str, begin: int, at: re.Match[str], domain: re.Match[str]) -> bool:
    """Tell an address in words from a sentence that has `at` or `@` in it."""
    sign, host = at[0].strip(), domain[0]
    if sign not in {"@", "at", "At"} or not at[0][0].isspace() or " . " in host:
        return True
    if sign == "@" or _SPOKEN_DOT.search(host):
        local = text[begin : at.start()]
        return (
            _TELLING.search(local) is not None
            or re.split(r"\W", host)[0].lower() in _POSTMEN
            or _is_announced(text, begin)
        )
    return _is_announced(text, begin)


def _is_announced(text: str, begin: int) -> bool:
    label = label_before(text, begin)
    return label is not None and label.kind is Kind.EMAIL
