"""Facts of a conversation: what a model lists and the user really said; else the user's own statements."""

from __future__ import annotations

from domain.memory.facts import facts_in, statements_in

SAID = [
    ("user", "Hi! I moved to Lisbon in March and I am allergic to peanuts. What is the weather?"),
    ("assistant", "Sunny. Do you like the city?"),
    ("user", "Yes. My daughter Ines starts school there."),
]


def test_listed_facts_that_were_said_are_kept_once() -> None:
    answer = """Sure, here are the facts:
- The user moved to Lisbon in March.
* Allergic to peanuts
2. allergic to peanuts.
- The user works as an astronaut on Mars
- Ines, the daughter, starts school
"""
    assert facts_in(answer, SAID) == [
        "The user moved to Lisbon in March.",
        "Allergic to peanuts",
        "Ines, the daughter, starts school",
    ]


def test_an_answer_without_a_list_has_no_facts() -> None:
    assert facts_in("NONE", SAID) == []
    assert facts_in("The user moved to Lisbon in March.", SAID) == []
    assert facts_in("", SAID) == []


def test_statements_are_what_users_say_of_themselves() -> None:
    assert statements_in(SAID) == [
        "I moved to Lisbon in March and I am allergic to peanuts.",
        "My daughter Ines starts school there.",
    ]
    assert statements_in([("assistant", "I am a model."), ("user", "How are my papers?")]) == []
