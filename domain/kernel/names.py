"""Names that cross contexts and become parts of stream ids: tenants and workspaces."""

from __future__ import annotations

import re

from domain.kernel.errors import FieldError

DEFAULT_TENANT = "default"
DEFAULT_WORKSPACE = "default"

TENANT_ID = r"^[a-z0-9][a-z0-9-]{0,62}$"
WORKSPACE_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"

_TENANT = re.compile(TENANT_ID.rstrip("$"))
_WORKSPACE = re.compile(WORKSPACE_ID.rstrip("$"))


def tenant_id_errors(value: str, pointer: str = "/tenant_id") -> list[FieldError]:
    """Return what is wrong with a tenant id, nothing when it is usable."""
    if _TENANT.fullmatch(value):
        return []
    return [FieldError(pointer, "use 1 to 63 lower-case letters, digits or '-', beginning with no '-'")]


def workspace_id_errors(value: str, pointer: str = "/workspace_id") -> list[FieldError]:
    """Return what is wrong with a workspace id, nothing when it is usable."""
    if _WORKSPACE.fullmatch(value):
        return []
    return [
        FieldError(pointer, "use 1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or digit")
    ]
