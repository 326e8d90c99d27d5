"""Turns what the HTTP client and the provider say into failures by kind, without a secret in any text.

The client's own exceptions carry the request's headers, so none of them is chained or quoted.
"""

import math
import os
import re
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from application.orchestration.upstream import FailureKind, Secret, UpstreamFailure
from infrastructure.providers.egress import EgressForbidden

MAX_RETRY_AFTER_S = 86_400.0
_KEPT_HEADERS = frozenset(
    {
        "content-type",
        "openai-processing-ms",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "x-request-id",
        "x-should-retry",
    }
)
_KEPT_PREFIXES = ("anthropic-ratelimit-", "x-ratelimit-")
_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], FailureKind, str], ...] = (  # the first match counts
    ((aiohttp.ConnectionTimeoutError,), FailureKind.TIMEOUT_CONNECT, "no connection in time"),
    ((TimeoutError,), FailureKind.TIMEOUT_FIRST_BYTE, "no answer before the deadline"),
    ((aiohttp.ClientConnectorDNSError,), FailureKind.DNS, "its host name does not resolve"),
    ((aiohttp.ClientSSLError, ssl.SSLError), FailureKind.TLS, "no TLS connection: certificate or protocol"),
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def from_exception(exc: BaseException, provider: str) -> UpstreamFailure:
    """The failure that an exception before the answer's headers stands for."""
    kind, detail = _explain(exc)
    return UpstreamFailure(kind, f"provider '{provider}': {detail}")


def from_status(
    provider: str, status: int, headers: Mapping[str, str], body: bytes, credential: Secret | None
) -> UpstreamFailure:
    """The failure for an answer outside 200..299; a credential that the body echoes is blotted out."""
    lower = {name.lower(): value for name, value in headers.items()}
    detail = f"provider '{provider}' answered {status}"
    if 300 <= status < 400:
        detail += "; redirects are not followed: give the final address as base_url"
    if credential:
        body = body.replace(credential.reveal().encode(), b"***")
    return UpstreamFailure(
        FailureKind.STATUS,
        detail,
        status=status,
        body=body,
        headers=kept_headers(lower),
        retry_after_s=retry_after(lower),
    )


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth keeping, by lower-case name: content type, request id, rate limits."""
    kept = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower in _KEPT_HEADERS or lower.startswith(_KEPT_PREFIXES):
            kept[lower] = value
    return kept


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to stay away as the provider asks: retry-after-ms, retry-after, or the exhausted limit's reset.

    Names are lower case. A point in time is read against the answer's own `Date`, so that a wrong clock
    on either side is harmless.
    """
    now = _http_date(headers.get("date", "")) or time.time()
    for seconds in (
        _number(headers.get("retry-after-ms", ""), 0.001),
        _number(headers.get("retry-after", ""), 1.0),
        _until(_http_date(headers.get("retry-after", "")), now),
        _exhausted(headers, now),
    ):
        if seconds is not None:
            return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)
    return None


def _explain(exc: BaseException) -> tuple[FailureKind, str]:
    if isinstance(exc, EgressForbidden):
        return FailureKind.EGRESS_FORBIDDEN, str(exc)
    for types, kind, detail in _MEANINGS:
        if isinstance(exc, types):
            return kind, detail
    if isinstance(exc, aiohttp.ClientConnectorError):
        return _connect_error(exc.os_error)
    if isinstance(exc, aiohttp.ClientConnectionError | OSError):
        return FailureKind.RESET, "closed the connection before it answered"
    if isinstance(exc, aiohttp.ClientResponseError):
        return _not_http(exc.message)
    return FailureKind.MALFORMED, f"no usable exchange ({type(exc).__name__})"


def _connect_error(error: OSError) -> tuple[FailureKind, str]:
    if isinstance(error, ConnectionResetError):
        return FailureKind.RESET, "reset the connection while it was made"
    if isinstance(error, TimeoutError):
        return FailureKind.TIMEOUT_CONNECT, "no connection in time"
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return FailureKind.REFUSED, f"no connection ({reason})"


def _not_http(message: str) -> tuple[FailureKind, str]:
    if message.startswith("Got more than"):  # aiohttp's LineTooLong, told apart by its text alone
        return FailureKind.TOO_LARGE, "its headers are too large"
    return FailureKind.MALFORMED, "what it answered is not HTTP/1.1"


def _number(text: str, unit: float) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number * unit if math.isfinite(number) else None


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None


def _until(moment: float | None, now: float) -> float | None:
    return None if moment is None else moment - now


def _exhausted(headers: Mapping[str, str], now: float) -> float | None:
    """The latest reset of the limits with nothing left; Anthropic tells a moment, OpenAI a duration."""
    resets = []
    for name, value in headers.items():
        if value.strip() != "0":
            continue
        if name.startswith("anthropic-ratelimit-") and name.endswith("-remaining"):
            resets.append(_until(_moment(headers.get(name.removesuffix("remaining") + "reset", "")), now))
        elif name.startswith("x-ratelimit-remaining-"):
            resets.append(_duration(headers.get(name.replace("remaining", "reset"), "")))
    return max((reset for reset in resets if reset is not None), default=None)


def _moment(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _duration(text: str) -> float | None:
    """Seconds of a Go duration such as `6m0s` or `120ms`."""
    parts = _DURATION.findall(text)
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts) if parts else None
