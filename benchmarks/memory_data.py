"""Made-up memories of people for benchmarks: words as uneven as in real texts, the same for the same seed."""

from __future__ import annotations

from random import Random

PEOPLE = (
    "Anna", "Bert", "Chen", "Dora", "Emil", "Fatima", "Goran", "Hana", "Igor", "Jana", "Kofi", "Lena",
)  # fmt: skip
VERBS = (
    "prefers", "avoids", "ordered", "returned", "asked about", "complained about", "is happy with",
    "cancelled", "compared", "recommended", "forgot", "scheduled", "renewed", "paid for",
    "wants to see", "reported",
)  # fmt: skip
THINGS = (
    "window seats", "vegetarian meals", "the annual contract", "an invoice in euros",
    "the blue headphones", "a refund", "the night train", "two-factor sign-in", "the mobile app",
    "a password reset", "oolong tea", "the warranty", "a larger desk", "paper statements",
    "the loyalty programme", "a delivery in the morning", "the espresso machine", "data exports",
    "a phone call", "the winter jacket", "an upgrade", "the quiet room", "a discount for students",
    "the shared calendar", "the old printer", "a visa letter", "spare batteries",
)  # fmt: skip
PLACES = (
    "in Lisbon", "at the branch in Graz", "on the website", "by letter", "during the fair in Oslo",
    "in chat", "at the airport", "in the Kyoto office", "over the hotline",
    "in the shop at the station", "in Accra",
)  # fmt: skip
WHY = (
    "because the meeting moved to Tuesday", "after the outage of last month", "for the whole team",
    "although it costs more", "since the children came along",
    "and will decide by the end of the quarter", "as the doctor advised", "because of the noise",
    "before the audit", "for a birthday", "without giving a reason",
)  # fmt: skip


def memory(random: Random) -> str:
    """Return one memory of some twenty words; a number in it makes most of them unique."""
    words = (random.choice(PEOPLE), random.choice(VERBS), random.choice(THINGS), random.choice(PLACES))
    reference = f"(case {_syllables(random)}-{random.randrange(10_000)})"
    more = f"{random.choice(WHY)}, and {random.choice(VERBS)} {random.choice(THINGS)}"
    return f"{' '.join(words)} {more} {reference}"


def question(random: Random) -> str:
    """Return what somebody might ask of such memories."""
    subject = random.choice((random.choice(PEOPLE), "the customer", "she", "who"))
    return f"what does {subject} say about {random.choice(THINGS)} {random.choice(PLACES)}?"


def _syllables(random: Random) -> str:
    return "".join(random.choice("bcdfgklmnprstvz") + random.choice("aeiou") for _ in range(3))
