"""Labels that people give to tenants and keys."""

from __future__ import annotations

from domain.kernel.errors import FieldError

LONGEST_LABEL = 100


def label_errors(value: str, pointer: str) -> list[FieldError]:
    """Return what is wrong with a label, nothing when it is usable."""
    if not value.strip() or len(value) > LONGEST_LABEL or not value.isprintable():
        return [FieldError(pointer, f"use 1 to {LONGEST_LABEL} printable characters, not only spaces")]
    return []
