"""How headers speak of attempts: short, and in the characters that a header can carry."""

from __future__ import annotations

from domain.kernel.request_record import Attempt


def outcome_text(attempt: Attempt) -> str:
    """Return an attempt's outcome in one word; a status that was answered is part of it."""
    return f"status_{attempt.status}" if attempt.outcome == "status" else attempt.outcome


def attempt_text(provider: str, model: str, outcome: str, spent_ms: int) -> str:
    """Return one element of `x-aios-attempts`."""
    return f"{provider}/{header_safe(model)};{outcome};{spent_ms}ms"


def header_safe(text: str) -> str:
    """Return a text in printable ASCII, the rest of it escaped."""
    if text.isascii() and text.isprintable():
        return text
    return text.encode("ascii", "backslashreplace").decode()
