"""What usage's commands answer."""

from __future__ import annotations

import msgspec

from domain.usage.quota import QuotaLimits, Scope


class QuotaSetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a scope as they are now; a user's scope is known by its pseudonym."""

    scope: Scope
    version: int
    limits: QuotaLimits
