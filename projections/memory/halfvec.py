"""pgvector's type of vectors in half precision; values are texts as PostgreSQL reads them.

The `pgvector` package has it too, and imports numpy, which every API process would carry for nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.types import UserDefinedType


class HALFVEC(UserDefinedType[str]):
    """A vector of `dimension` numbers, of any length without it."""

    cache_ok = True

    def __init__(self, dimension: int | None = None) -> None:
        self.dimension = dimension

    def get_col_spec(self, **_options: Any) -> str:
        """Return how the type is written in SQL."""
        return "HALFVEC" if self.dimension is None else f"HALFVEC({int(self.dimension)})"
