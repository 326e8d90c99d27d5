"""Completes the OpenAPI document: what every route of the product does and Litestar cannot know."""

from __future__ import annotations

from typing import Any, Final

from litestar import Litestar
from litestar.routes import HTTPRoute

WRITES: Final = ("post", "put", "patch", "delete")
IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Repeating a write with the same key and body answers what it answered first (24 hours).",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
REQUEST_ID_REF: Final = {"$ref": "#/components/headers/RequestId"}
REQUEST_ID: Final = {
    "description": "The request's id, also in logs, events and problem documents.",
    "schema": {"type": "string"},
}


def complete(document: dict[str, Any], app: Litestar) -> dict[str, Any]:
    """Return the document with the request id of every answer, idempotency keys and roles of keyed routes.

    The document comes from Litestar and is changed in place.
    """
    document["components"].setdefault("headers", {})["RequestId"] = REQUEST_ID
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        operations = document["paths"].get(route.path_format, {})
        for method, operation in operations.items():
            handler = route.route_handler_map[method.upper()][0]
            _complete_operation(operation, method, handler.opt.get("roles", ()))
    return document


def _complete_operation(operation: dict[str, Any], method: str, roles: tuple[str, ...]) -> None:
    for response in operation["responses"].values():
        response.setdefault("headers", {})["x-request-id"] = REQUEST_ID_REF
    if not roles:
        return
    operation["x-aios-roles"] = list(roles)
    operation["description"] = f"{operation.get('description', '')}\n\nRoles: {', '.join(roles)}.".strip()
    if method in WRITES:
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
