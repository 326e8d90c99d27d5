"""How routes are declared: roles and every answer stand at the handler, for the guard and the docs.

@read("/keys", roles=READERS)
async def list_keys(request: ApiRequest, limit: Limit = 50) -> Page[KeyView]: ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

from litestar import delete, get, patch, post, put
from litestar.handlers.http_handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from interfaces.http.problems import MEDIA_TYPE, Problem

ADMIN: Final = "admin"
OPERATOR: Final = "operator"
AUDITOR: Final = "auditor"
PLATFORM: Final = "platform"
SERVICE: Final = "service"

EVERYBODY: Final = (ADMIN, AUDITOR, OPERATOR, PLATFORM, SERVICE)
READERS: Final = (ADMIN, AUDITOR, OPERATOR)
USERS: Final = (ADMIN, AUDITOR, OPERATOR, SERVICE)
OPERATORS: Final = (ADMIN, OPERATOR)

SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"apiKey": []}, {"consoleCookie": []}]
# An empty requirement says "no key needed"; Litestar drops an empty list from the document.
OPEN: Final[list[dict[str, list[str]]]] = [{}]

Decorator = Callable[[Callable[..., Any]], HTTPRouteHandler]


def failures(*statuses: int) -> dict[int, ResponseSpec]:
    """Return the documentation of the error answers of a route."""
    return {
        status: ResponseSpec(
            Problem,
            generate_examples=False,
            description=HTTPStatus(status).phrase,
            media_type=MEDIA_TYPE,
        )
        for status in statuses
    }


def read(path: str, *, roles: Sequence[str], fails: Sequence[int] = (), **options: Any) -> Decorator:
    """Declare a GET for callers with one of the roles; `fails` adds to the statuses every read can answer."""
    return get(path, **_keyed(roles, (*READ_FAILURES, *fails), options))


def create(path: str, *, roles: Sequence[str], fails: Sequence[int] = (), **options: Any) -> Decorator:
    """Declare a POST for callers with one of the roles."""
    return post(path, **_keyed(roles, (*WRITE_FAILURES, *fails), options))


def replace(path: str, *, roles: Sequence[str], fails: Sequence[int] = (), **options: Any) -> Decorator:
    """Declare a PUT for callers with one of the roles."""
    return put(path, **_keyed(roles, (*WRITE_FAILURES, *fails), options))


def change(path: str, *, roles: Sequence[str], fails: Sequence[int] = (), **options: Any) -> Decorator:
    """Declare a PATCH for callers with one of the roles."""
    return patch(path, **_keyed(roles, (*WRITE_FAILURES, *fails), options))


def remove(path: str, *, roles: Sequence[str], fails: Sequence[int] = (), **options: Any) -> Decorator:
    """Declare a DELETE that answers with what was removed, for callers with one of the roles."""
    return delete(path, **_keyed(roles, (*WRITE_FAILURES, *fails), {"status_code": 200, **options}))


READ_FAILURES: Final = (401, 403, 422, 500, 503)
WRITE_FAILURES: Final = (400, 401, 403, 408, 409, 413, 415, 422, 500, 503)


def _keyed(roles: Sequence[str], statuses: Sequence[int], options: dict[str, Any]) -> dict[str, Any]:
    if not roles:
        raise ValueError("a keyed route names the roles that may use it")
    return {
        **options,
        "opt": {"roles": tuple(roles), **options.get("opt", {})},
        "security": SECURITY,
        "responses": {**failures(*statuses), **options.get("responses", {})},
    }
