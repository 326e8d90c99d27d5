"""Names of persons where the text itself says that one follows: introductions, titles, fields, signatures.

No list of names and no language model: a name that is merely mentioned is not found. See docs/pii.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from domain.memory.pii.segments import LEFT, PARTICLE, UPPER

_LETTER: Final = r"[^\W\d_]"
_WORD: Final = (
    rf"(?:{UPPER}(?:{_LETTER}|['\u2019](?={_LETTER})){{1,24}}(?:-{UPPER}{_LETTER}{{1,24}})?|{UPPER}\.)"
)
_NAME: Final = rf"(?P<name>{_WORD}(?:[ ](?:{PARTICLE}[ ]){{0,2}}{_WORD}){{0,3}})"
_FULL: Final = rf"(?P<name>{_WORD}(?:[ ](?:{PARTICLE}[ ]){{0,2}}{_WORD}){{1,3}})"
_INTRODUCED: Final = r"""
    (?i:\b(?:my\ (?:full\ )?name(?:'s|\u2019s|\ is)|i\ am\ called|(?:he|she)\ is\ called|name's
      |ich\ hei(?:ß|ss)e|mein\ name\ ist|je\ m['\u2019]appelle|me\ llamo|mi\ nombre\ es|mi\ chiamo|me\ chamo
      |meu\ nome\ (?:é|e)|mijn\ naam\ is|ik\ heet))[ ]
"""
_TITLE: Final = r"""
    \b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Herr|Frau|Mme|Mlle|Monsieur|Madame|Se[ñn]ora?|Sig|Signora?)\.?[ ]
"""
_FIELD: Final = r"""
    (?i:(?:^|(?<=[\n\r{,;|]))[ \t]{0,4}["']?
      (?:(?:full|first|last|given|family|middle|maiden|customer|patient|employee|contact|client|sender|recipient
        |cardholder|card\ holder|account\ holder)[ _]?name|surname|patient|customer|applicant|attn
        |signed(?:\ by)?|nachname|vorname|nom|pr[ée]nom|apellidos?|nombre|cognome|nome)
      ["']?[ ]{0,2}[:=][ ]{0,2}["']?)
"""
_SIGNED: Final = r"""
    (?i:(?:regards|sincerely|cheers|best(?:\ wishes)?|thanks|thank\ you|yours(?:\ truly)?|gr(?:ü|u)(?:ß|ss)e
      |gr(?:ü|u)(?:ß|ss)en|cordialement|saludos|cordiali\ saluti|atenciosamente),?[ \t]{0,2}\r?\n[ \t]{0,4})
"""
_GREETED: Final = r"(?:^|(?<=[\n\r]))(?:Dear|Hi|Hello|Hey|Liebe[r]?|Cher|Ch[èe]re|Querid[oa]|Hola|Ciao)[ ]"
_RULES: Final = tuple(
    re.compile(pattern, re.VERBOSE)
    for pattern in (
        _INTRODUCED + _NAME,
        _TITLE + _NAME,
        _FIELD + _NAME + r"(?=[ \t]{0,4}(?:$|[\n\r,;|\"'}(<]))",
        _SIGNED + _NAME + r"(?=[ \t]{0,4}(?:$|[\n\r,(|]))",
        _GREETED + _NAME + r"(?=[ ]?[,!:])",
        r"(?:^|(?<=[\n\r,;:\"]))[ ]{0,2}" + _FULL + r"(?=\"?[ ]<[^\s<>@]{1,64}@)",
    )
)
_WORDS_OF_NOBODY: Final = """
    All Team Sir Madam Customer There Everyone Everybody Folks Colleagues Friend Friends Support Sales
    The This That User Users Admin None Null True False Unknown Test Value Sirs Guest Member Members
    Community Reader It You We They Not Sorry Sure Here Let If When What How Please Thanks Group Ladies
    Gentlemen Client Applicant Patient Employee Hiring Manager Service Department Committee Editor
    Developers
"""
_NOBODY: Final = frozenset(_WORDS_OF_NOBODY.split())


def persons(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the `(start, end)` of each announced name in `text[start:end]`."""
    for rule in _RULES:
        for match in rule.finditer(text, max(0, start - LEFT), end):
            first, last = match.span("name")
            if first >= start and match["name"].split()[0] not in _NOBODY:
                yield first, last
