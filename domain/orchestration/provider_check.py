"""The rules that a new custom provider must keep; each breach is named by its JSON pointer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from domain.kernel.errors import FieldError, InvalidInput
from domain.orchestration.provider_spec import RESERVED, ModelPrices, ModelSpec

PROVIDER_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
MOST_MODELS = 500
MOST_HEADERS = 32
MOST_TOKENS = 100_000_000
LONGEST_MODEL_NAME = 256
LONGEST_HEADER_NAME = 64
LONGEST_HEADER = 4096
LONGEST_API_KEY = 4096
LONGEST_DRAIN_S = 300
DEAREST_USD = 1_000_000
MOST_DECIMALS = 9
_MOST_ERRORS = 20
_NAME = re.compile(PROVIDER_NAME.rstrip("$"))
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

Errors = Iterator[FieldError]


def check_provider(
    name: str,
    models: tuple[ModelSpec, ...],
    api_key: str | None,
    headers: Mapping[str, str] | None,
    drain_seconds: float,
) -> None:
    """Raise InvalidInput that names every unusable field of a provider, but never shows a secret."""
    errors = [*_name_errors(name), *_models_errors(models), *_key_errors(api_key), *_headers_errors(headers)]
    if not 0 <= drain_seconds <= LONGEST_DRAIN_S:
        errors.append(FieldError("/drain_seconds", f"must be from 0 to {LONGEST_DRAIN_S}"))
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}{more}", errors[:_MOST_ERRORS])


def _name_errors(name: str) -> Errors:
    if name in RESERVED:
        yield FieldError("/name", f"'{name}' is a built-in provider; choose another name")
    elif not _NAME.fullmatch(name):
        yield FieldError("/name", "use 1 to 63 lower-case letters, digits, '.', '_' or '-'; no '/'")


def _models_errors(models: tuple[ModelSpec, ...]) -> Errors:
    if len(models) > MOST_MODELS:
        yield FieldError("/models", f"at most {MOST_MODELS} models; leave models off to pass any name on")
        return
    seen: set[str] = set()
    for index, model in enumerate(models):
        at = f"/models/{index}"
        if not model.name.strip() or len(model.name) > LONGEST_MODEL_NAME or not model.name.isprintable():
            yield FieldError(f"{at}/name", f"use 1 to {LONGEST_MODEL_NAME} printable characters")
        if model.name in seen:
            yield FieldError(f"{at}/name", f"'{model.name}' is listed twice; leave one off")
        seen.add(model.name)
        for field in ("context_window", "max_output_tokens"):
            value = getattr(model, field)
            if value is not None and not 1 <= value <= MOST_TOKENS:
                yield FieldError(f"{at}/{field}", f"must be from 1 to {MOST_TOKENS}, not {value}")
        if model.prices is not None:
            yield from _prices_errors(model.prices, f"{at}/prices")


def _prices_errors(prices: ModelPrices, at: str) -> Errors:
    for field in prices.__struct_fields__:
        price: Decimal | None = getattr(prices, field)
        if price is None:
            continue
        if not price.is_finite() or not 0 <= price <= DEAREST_USD:
            yield FieldError(f"{at}/{field}", f"must be from 0 to {DEAREST_USD} dollars per million tokens")
        elif _decimals(price) > MOST_DECIMALS:
            yield FieldError(f"{at}/{field}", f"has more than {MOST_DECIMALS} decimals; round it")


def _decimals(price: Decimal) -> int:
    exponent = price.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _key_errors(api_key: str | None) -> Errors:
    if api_key and (len(api_key) > LONGEST_API_KEY or not _sendable(api_key) or api_key != api_key.strip()):
        yield FieldError(
            "/api_key", f"use at most {LONGEST_API_KEY} printable ASCII characters, no spaces around it"
        )


def _headers_errors(headers: Mapping[str, str] | None) -> Errors:
    if headers is not None and len(headers) > MOST_HEADERS:
        yield FieldError("/headers", f"at most {MOST_HEADERS} headers, not {len(headers)}")
        return
    for name, value in (headers or {}).items():
        at = "/headers/" + name.replace("~", "~0").replace("/", "~1")
        if not _TOKEN.fullmatch(name):
            yield FieldError(
                at, f"is no header name; use letters, digits and '-', at most {LONGEST_HEADER_NAME}"
            )
        elif name.lower() in _OURS:
            yield FieldError(at, "is set by the gateway for each call; leave it off")
        if len(value) > LONGEST_HEADER or not _sendable(value):
            yield FieldError(at, f"its value must be at most {LONGEST_HEADER} printable ASCII characters")


def _sendable(value: str) -> bool:
    return value.isascii() and value.isprintable()
