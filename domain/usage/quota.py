"""What a quota is: monthly limits of a scope in tokens and money, and what may be set.

`QuotaLimits` stands in events, so it carries no bounds; `check_quota` holds the rules for new ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from domain.kernel.errors import FieldError, InvalidInput
from domain.kernel.names import workspace_id_errors

ScopeKind = Literal["tenant", "workspace", "key", "user", "segment"]
Unit = Literal["tokens", "cost"]
State = Literal["ok", "warning", "exceeded"]

MOST_TOKENS = 10**15
MOST_MICROS = 10**15
LONGEST_ID = 256


class Scope(NamedTuple):
    """Whose use is limited; the tenant's own scope has no id. A user's id is a pseudonymous reference."""

    kind: ScopeKind
    id: str = ""

    @property
    def entity_id(self) -> str:
        """Return the id of the scope's aggregate: `tenant`, or `workspace:default`."""
        return f"{self.kind}:{self.id}" if self.id else self.kind


class Account(NamedTuple):
    """What is counted: one unit of one scope in one month (`2026-11`, in the tenant's time zone)."""

    tenant: str
    kind: ScopeKind
    id: str
    month: str
    unit: Unit


class QuotaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one scope; None is no limit. Money is in micro-dollars.

    A hard cap refuses what does not fit; with `shrink_max_tokens` it shortens the answer first, where that
    helps. A soft cap only warns, at `soft_cap_threshold` of the limit. `time_zone` is that of the months of
    the whole tenant and counts in the tenant's own scope alone.
    """

    monthly_token_limit: int | None = None
    monthly_cost_limit_micros: int | None = None
    hard_cap_enabled: bool = True
    soft_cap_enabled: bool = True
    soft_cap_threshold: float = 0.8
    shrink_max_tokens: bool = False
    time_zone: str = "UTC"

    def limit(self, unit: Unit) -> int | None:
        """Return the limit in a unit, None when there is none."""
        return self.monthly_token_limit if unit == "tokens" else self.monthly_cost_limit_micros

    @property
    def units(self) -> tuple[Unit, ...]:
        """Return the units that are limited, tokens first."""
        both: tuple[Unit, ...] = ("tokens", "cost")
        return tuple(unit for unit in both if self.limit(unit) is not None)

    def soft_point(self, unit: Unit) -> int | None:
        """Return the use at which to warn, None when nothing warns in this unit."""
        limit = self.limit(unit)
        if limit is None or not self.soft_cap_enabled:
            return None
        return int(limit * self.soft_cap_threshold)


def state_of(limits: QuotaLimits, unit: Unit, used: int, held: int) -> State:
    """Return where a scope stands: `exceeded` when nothing remains, `warning` from the soft point on."""
    return state_within(limits.limit(unit), limits.soft_point(unit), used, held)


def state_within(limit: int | None, soft: int | None, used: int, held: int) -> State:
    """Return where use stands between a limit and the point at which to warn; None is none."""
    if limit is not None and used + held >= limit:
        return "exceeded"
    return "warning" if soft is not None and used >= soft else "ok"


def check_quota(scope: Scope, limits: QuotaLimits) -> None:
    """Raise InvalidInput that names every unusable field."""
    errors = [*_scope_errors(scope), *_limit_errors(limits)]
    if not 0 < limits.soft_cap_threshold <= 1:
        errors.append(FieldError("/soft_cap_threshold", "use a share above 0 and up to 1, such as 0.8"))
    if not _is_time_zone(limits.time_zone):
        errors.append(FieldError("/time_zone", "use a name of the IANA database, such as Europe/Berlin"))
    elif scope.kind != "tenant" and limits.time_zone != "UTC":
        errors.append(FieldError("/time_zone", "months are the tenant's; set the zone in the tenant's quota"))
    if errors:
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)


def _limit_errors(limits: QuotaLimits) -> list[FieldError]:
    found = []
    tokens, micros = limits.monthly_token_limit, limits.monthly_cost_limit_micros
    if tokens is not None and not 1 <= tokens <= MOST_TOKENS:
        found.append(
            FieldError("/monthly_token_limit", f"use a whole number from 1 to {MOST_TOKENS}; null removes it")
        )
    if micros is not None and not 1 <= micros <= MOST_MICROS:
        detail = f"use 0.000001 to {MOST_MICROS // 10**6} US dollars; null removes the limit"
        found.append(FieldError("/monthly_cost_limit_usd", detail))
    return found


def _scope_errors(scope: Scope) -> list[FieldError]:
    if scope.kind == "tenant":
        detail = "the tenant's own quota has no id; choose another scope or leave the id off"
        return [FieldError("/id", detail)] if scope.id else []
    if scope.kind == "workspace":
        return workspace_id_errors(scope.id, "/id")
    if not 0 < len(scope.id) <= LONGEST_ID or not scope.id.isprintable():
        return [FieldError("/id", f"name the {scope.kind} in 1 to {LONGEST_ID} printable characters")]
    return []


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@lru_cache(4096)
def scopes_of(workspace: str, key_id: str, segment: str | None, subject: str | None) -> tuple[Scope, ...]:
    """Return the scopes that one request's usage counts in."""
    named: tuple[tuple[ScopeKind, str | None], ...] = (
        ("workspace", workspace),
        ("key", key_id),
        ("segment", segment),
        ("user", subject),
    )
    return (Scope("tenant"), *(Scope(kind, id_) for kind, id_ in named if id_))
