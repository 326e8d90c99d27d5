"""The roles a key can hold, and which of them a holder may hand on."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["platform", "admin", "operator", "auditor", "service"]
ROLES: tuple[Role, ...] = get_args(Role)


def grantable(held: frozenset[str]) -> frozenset[str]:
    """Return the roles that a holder of `held` may give to a new key.

    `platform` gives any, since it founds tenants and their administrators; `admin` gives all but
    `platform`; everybody else gives no more than what they hold.
    """
    if "platform" in held:
        return frozenset(ROLES)
    if "admin" in held:
        return frozenset(ROLES) - {"platform"}
    return held & frozenset(ROLES)
