"""Turns every error into a problem document (RFC 9457); alone knows error types and statuses."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec
import sqlalchemy.exc
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from domain.kernel import errors
from domain.kernel.errors import FieldError
from interfaces.http.tracing import request_id_of

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger("http")


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as clients see it: what went wrong, where, and which request it was."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: tuple[FieldError, ...] = ()
    purge_id: str | None = None
    components: dict[str, Any] | None = None


# The most specific class of an error's ancestors decides: status, name in `type`, title.
TABLE: dict[type[Exception], tuple[int, str, str]] = {
    errors.InvalidInput: (422, "invalid-input", "The request has unusable fields"),
    errors.Unauthenticated: (401, "unauthenticated", "A valid API key is needed"),
    errors.Forbidden: (403, "forbidden", "The key's roles do not allow this"),
    errors.NotFound: (404, "not-found", "No such thing"),
    errors.Gone: (410, "gone", "It was erased"),
    errors.Conflict: (409, "conflict", "The request contradicts the present state"),
    errors.VersionConflict: (409, "version-conflict", "Another change came first"),
    errors.NameTaken: (409, "name-taken", "The name is in use"),
    errors.IdempotencyMismatch: (409, "idempotency-mismatch", "The idempotency key was used differently"),
    errors.LimitReached: (429, "limit-reached", "A limit refuses the request"),
    errors.Unavailable: (503, "unavailable", "A component does not answer"),
    sqlalchemy.exc.OperationalError: (503, "unavailable", "A component does not answer"),
    sqlalchemy.exc.InterfaceError: (503, "unavailable", "A component does not answer"),
    sqlalchemy.exc.TimeoutError: (503, "unavailable", "A component does not answer"),
    # The last net: a value that no route refused and PostgreSQL cannot represent.
    sqlalchemy.exc.DataError: (422, "invalid-input", "The request has unusable fields"),
    errors.Corrupt: (500, "corrupt", "Stored data does not verify"),
}
NO_SUCH_TABLE = "42P01"
INTERNAL = (500, "internal", "The server failed")
MISSING_PARAMETER = re.compile(r"Missing required \w+ parameter '([^']+)'")
UNEXPECTED = "The server failed; the log has the details under this request id"
STATUS_DETAILS = {
    404: "there is nothing at this path; GET /docs lists what there is",
    405: "this path does not take the method; the header `allow` lists those it takes",
    413: "the request body is too large",
}


def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Return the answer for an error, and log what the client is not told."""
    error = _told(error)
    status, name, title = _classify(error)
    if status >= 500 and not isinstance(error, errors.Unavailable):
        log.error("request failed", exc_info=error, status=status)
    problem = Problem(
        type=f"urn:aios:problem:{name}",
        title=title,
        status=status,
        detail=_detail(request, error, status),
        request_id=request_id_of(request.scope),
        errors=_field_errors(request, error),
        purge_id=getattr(error, "purge_id", None),
        components=getattr(error, "components", None),
    )
    return Response(problem, status_code=status, media_type=MEDIA_TYPE, headers=_headers(error, status))


def _told(error: Exception) -> Exception:
    """Return what a client is told instead of an error of the database's driver."""
    if isinstance(error, sqlalchemy.exc.DBAPIError) and getattr(error.orig, "sqlstate", "") == NO_SUCH_TABLE:
        return errors.Unavailable("projections", "the read models are being built; try again shortly", 1.0)
    return error


def _classify(error: Exception) -> tuple[int, str, str]:
    for cls in type(error).__mro__:
        if cls in TABLE:
            return TABLE[cls]
    if isinstance(error, ValidationException):
        return TABLE[errors.InvalidInput]
    if isinstance(error, HTTPException) and error.status_code < 500:
        phrase = HTTPStatus(error.status_code).phrase
        return error.status_code, phrase.lower().replace(" ", "-"), phrase
    return INTERNAL


def _detail(request: Request[Any, Any, Any], error: Exception, status: int) -> str:
    if isinstance(error, errors.Corrupt) or (status >= 500 and not isinstance(error, errors.AiosError)):
        return UNEXPECTED
    if isinstance(error, errors.AiosError):
        return error.message
    if isinstance(error, ValidationException):
        return "; ".join(f"{e.pointer}: {e.detail}".removeprefix(": ") for e in _field_errors(request, error))
    detail = getattr(error, "detail", "")
    generic = not detail or detail == HTTPStatus(status).phrase or status == 413
    return STATUS_DETAILS.get(status, detail) if generic else detail


def _field_errors(request: Request[Any, Any, Any], error: Exception) -> tuple[FieldError, ...]:
    if isinstance(error, errors.InvalidInput):
        return tuple(
            FieldError(e.pointer if e.pointer[:1] in {"", "/"} else f"/{e.pointer}", e.detail)
            for e in error.errors
        )
    if not isinstance(error, ValidationException):
        return ()
    if missing := MISSING_PARAMETER.match(error.detail):
        return (FieldError(f"/{missing[1]}", "this parameter is required"),)
    found = error.extra if isinstance(error.extra, list) else []
    return tuple(_parameter_error(request, item) for item in found)


def _parameter_error(request: Request[Any, Any, Any], item: dict[str, Any]) -> FieldError:
    name = str(item.get("key", ""))
    if name == "data":  # Litestar's name for the whole body; only a missing one gets here
        return FieldError("", "the request needs a JSON body")
    field = request.route_handler.parsed_fn_signature.parameters.get(name)
    wire_name = getattr(field.kwarg_definition, "name", None) if field else None
    detail = str(item.get("message", "unusable value"))
    return FieldError(f"/{wire_name or name}", detail[:1].lower() + detail[1:].replace("`", ""))


def _headers(error: Exception, status: int) -> dict[str, str]:
    headers = dict(getattr(error, "headers", None) or {})
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="aios"'
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(retry_after_s)))
    return headers
