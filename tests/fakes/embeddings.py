"""A model for tests: a text's vector counts its letters, so texts of the same letters are alike."""

from __future__ import annotations

from collections.abc import Sequence

DIMENSION = 256


class LetterCounts:
    """Embeds without a model; fails while `broken` is set."""

    def __init__(self, model: str = "letters", *, remote: bool = False) -> None:
        self.model = model
        self.dimension = DIMENSION
        self.remote = remote
        self.broken: Exception | None = None
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> list[str]:
        """Return one unit vector a text, as PostgreSQL reads it."""
        if self.broken is not None:
            raise self.broken
        self.asked += texts
        return [vector(text) for text in texts]


def vector(text: str) -> str:
    """Return the unit vector of a text's letters, written for PostgreSQL; never all zeros."""
    counts = [0.0] * DIMENSION
    for letter in text.lower():
        counts[ord(letter) % DIMENSION] += 1.0
    counts[0] += 0.5
    length = sum(count * count for count in counts) ** 0.5
    return "[" + ",".join(f"{count / length:.4g}" for count in counts) + "]"
