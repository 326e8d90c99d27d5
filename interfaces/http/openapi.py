"""Completes the OpenAPI document: what every route of the product does and Litestar cannot know."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from interfaces.http.idempotency import KEPT

WRITES: Final = ("post", "put", "patch", "delete")
ANYTHING: Final = {"description": "Any JSON value."}
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
    _mend_schemas(document["components"]["schemas"])
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        operations = document["paths"].get(route.path_format, {})
        for method, operation in operations.items():
            handler = route.route_handler_map[method.upper()][0]
            _complete_operation(operation, method, handler)
            _close_bodies(document["components"]["schemas"], handler)
    return document


def _complete_operation(operation: dict[str, Any], method: str, handler: HTTPRouteHandler) -> None:
    said = {handler.status_code, *(handler.responses or {})}
    answers = {status: answer for status, answer in operation["responses"].items() if int(status) in said}
    operation["responses"] = dict(sorted(answers.items()))
    answers.get("204", {}).pop("content", None)
    for media_type in handler.opt.get("also_answers", ()):
        answers["200"]["content"][media_type] = {"schema": {"type": "string"}}
    for response in answers.values():
        response.setdefault("headers", {})["x-request-id"] = REQUEST_ID_REF
    roles = handler.opt.get("roles", ())
    if not roles:
        return
    operation["x-aios-roles"] = list(roles)
    operation["description"] = f"{operation.get('description', '')}\n\nRoles: {', '.join(roles)}.".strip()
    parameters = operation.setdefault("parameters", [])
    listed = any(each["name"] == IDEMPOTENCY_KEY["name"] for each in parameters)
    if method in WRITES and handler.opt.get(KEPT, True) and not listed:
        parameters.append(IDEMPOTENCY_KEY)


def _close_bodies(schemas: dict[str, Any], handler: HTTPRouteHandler) -> None:
    """Say of a body's structs that unknown fields are refused, which msgspec does and Litestar omits."""
    if handler.parsed_data_field is None:
        return
    found = [msgspec.inspect.type_info(handler.parsed_data_field.annotation)]
    seen: set[type] = set()
    while found:
        node = found.pop()
        if isinstance(node, msgspec.inspect.StructType) and node.cls not in seen:
            seen.add(node.cls)
            if node.forbid_unknown_fields:
                schemas[node.cls.__name__]["additionalProperties"] = False
            found += [field.type for field in node.fields]
        elif isinstance(node, msgspec.inspect.UnionType):
            found += node.types
        elif isinstance(node, msgspec.inspect.CollectionType):
            found.append(node.item_type)


def _mend_schemas(node: Any) -> None:
    """Name what may be anything, and mend two of Litestar's readings of types.

    `tuple[X, ...]` is not X or anything, and a value of a union may be of several of its types: 1 is an
    integer and a number.
    """
    if isinstance(node, list):
        for item in node:
            _mend_schemas(item)
    if not isinstance(node, dict):
        return
    if "oneOf" in node:
        node["anyOf"] = node.pop("oneOf")
    for key in ("items", "additionalProperties"):
        schema = node.get(key)
        if schema == {}:
            node[key] = ANYTHING
        elif isinstance(schema, dict) and {} in schema.get("oneOf", ()):
            node[key] = next(choice for choice in schema["oneOf"] if choice)
    for value in node.values():
        _mend_schemas(value)
