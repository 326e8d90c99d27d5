"""Takes credentials out of everything that is about to be logged, whoever logs it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

HIDDEN = "[redacted]"
SHORTEST = 7  # nothing below it can match: the shortest that does is `a://:b@`

PLAIN = re.compile(r"[A-Za-z0-9/{}]*|(?:req|cmd)_[0-9a-z]{26}")
"""Words, routes and the product's own ids: nothing of what follows is in them, which takes longer to see."""

SECRET_NAMES = re.compile(
    r"(api[-_]?key|authorization|cookie|password|passwd|secret|credential|private[-_]?key|token$)",
    re.IGNORECASE,
)

SECRET_TEXTS = re.compile(
    r"""
      (?P<scheme>\b(?:bearer|basic|token)\s+)[A-Za-z0-9._~+/=-]{8,}   # an Authorization header's value
    | (?P<url>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)           # the password in a URL or DSN
    | (?P<dsn>\bpassword=)(?:'[^']*'|\S+)                              # the password in a keyword DSN
    | \baios_[a-z0-9]{3,}_(?=[A-Za-z0-9_-]*[0-9A-Z])[A-Za-z0-9_-]{16,}  # this product's keys
    | \b(?:sk|rk|pk|whsec|xox[abp]|ghp|dg)[-_][A-Za-z0-9_-]{8,}        # other keys by their usual prefixes
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*           # a JSON web token
    """,
    re.IGNORECASE | re.VERBOSE,
)


def _hide(match: re.Match[str]) -> str:
    kept = next((text for text in match.groupdict().values() if text), "")
    return f"{kept}{HIDDEN}"


def redact_text(text: str) -> str:
    """Return the text with everything that looks like a credential replaced."""
    return text if len(text) < SHORTEST or PLAIN.fullmatch(text) else SECRET_TEXTS.sub(_hide, text)


@lru_cache(1024)
def _names_a_secret(key: str) -> bool:
    return SECRET_NAMES.search(key) is not None


def redact(value: Any) -> Any:
    """Return the value with credentials replaced: by name in mappings, by appearance in texts."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {
            key: HIDDEN if isinstance(key, str) and _names_a_secret(key) else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redact(item) for item in value]
    return value
