"""What is worth remembering of a conversation: reads a model's answer, and keeps only what was really said.

A small model invents; a fact counts when most of its telling words occur in the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

MOST_FACTS = 20
LONGEST_FACT = 500
GROUNDED = 0.7
_BULLET = re.compile(r"^\s*(?:[-*\u2022]|\d{1,2}[.)])\s+")
_WORD = re.compile(r"\w{3,}")
_SENTENCE = re.compile(r"(?<=[.!?\u3002])\s+|\n+")
_SPEAKS_OF_ITSELF = re.compile(r"\b(i|i'm|i've|i'd|my|mine|me|we|our|us)\b", re.IGNORECASE)
_COMMON = (
    "the and that this with from have has had was were are for not but you your user they them their she her "
    "his him its will would can could likes like says said told wants want"
)
_TELLS_NOTHING = frozenset(_COMMON.split())

PROMPT = (
    "List the facts about the user that are worth remembering from the conversation: preferences, plans, "
    "decisions, dates, names of things. Write one short sentence for each fact, on a line of its own that "
    "begins with '- '. Use only what the user said. Write NONE when there is nothing to remember."
)


def conversation_text(messages: Iterable[tuple[str, str]]) -> str:
    """Return a conversation of (role, text) as a model reads it."""
    return "\n".join(f"{role}: {text}" for role, text in messages)


def facts_in(answer: str, messages: Sequence[tuple[str, str]]) -> list[str]:
    """Return the facts that a model's answer lists and that were said; in order, no two alike."""
    said = set(_telling("\n".join(text for _, text in messages)))
    found: dict[str, str] = {}
    for line in answer.splitlines():
        if not _BULLET.match(line):
            continue
        fact = _BULLET.sub("", line).strip()
        if 3 <= len(fact) <= LONGEST_FACT and _grounded(fact, said):
            found.setdefault(fact.lower().rstrip("."), fact)
    return list(found.values())[:MOST_FACTS]


def statements_in(messages: Iterable[tuple[str, str]]) -> list[str]:
    """Return what users stated about themselves, in their own words: where no model's answer is of use."""
    found: dict[str, str] = {}
    for role, text in messages:
        if role == "user":
            found |= {sentence.lower(): sentence for sentence in _statements(text)}
    return list(found.values())[:MOST_FACTS]


def _statements(text: str) -> Iterator[str]:
    for sentence in _SENTENCE.split(text):
        clean = sentence.strip()
        if 8 <= len(clean) <= LONGEST_FACT and not clean.endswith("?") and _SPEAKS_OF_ITSELF.search(clean):
            yield clean


def _grounded(fact: str, said: set[str]) -> bool:
    words = _telling(fact)
    return bool(words) and sum(word in said for word in words) >= GROUNDED * len(words)


def _telling(text: str) -> list[str]:
    """Return the words that tell something, cut to their first five letters so that endings do not matter."""
    return [word[:5] for word in _WORD.findall(text.lower()) if word not in _TELLS_NOTHING]
