"""Tests a connection to a provider through its vendor's own SDK, and says what is wrong with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import msgspec

from application.orchestration.commands import RegisterProvider
from application.orchestration.connection_tests import ConnectionTest, Reason
from application.orchestration.specs import spec_of
from application.orchestration.upstream import ProviderSpec, Secret
from domain.orchestration.connection import Connection
from domain.orchestration.provider_spec import ModelSpec
from infrastructure.embedded.errors import EmbeddedServiceError, ServiceStillStarting
from infrastructure.providers.egress import normalise_base_url
from infrastructure.providers.local import Endpoint
from infrastructure.providers.sdk_probe import ProbeResult, probe

AT_ONCE = 2  # each is a process of its own
TIMEOUT_S = 15.0
MOST_MISSING = 50
_CURES: Mapping[Reason, str] = {
    "ok": "the provider answered",
    "credential_refused": "it refuses the credential: set api_key again, or see to the account",
    "no_model_list": "it has no list of models at this address: check base_url, or test with a model",
    "model_not_found": "it does not know the model: check its name",
    "rate_limited": "it limits our rate: the credential works, try again later",
    "request_refused": "it refuses the request: check dialect and base_url",
    "provider_error": "it failed by itself: try again later",
    "dns": "its host name does not resolve: check base_url",
    "refused": "nothing listens there: check host and port in base_url, and that the server runs",
    "reset": "the connection broke before an answer: check that http or https is right in base_url",
    "tls": "no TLS connection: check the certificate, or http:// for a server without TLS",
    "timeout": "no answer in time: check base_url, and whether a firewall is in between",
    "malformed": "what answers there does not speak the dialect: check base_url and dialect",
    "egress_forbidden": "this installation never calls such an address: use another base_url",
    "not_ready": "the model is still loading: try again soon",
    "not_tested": "the test itself did not work: see the log",
}
_OF_KIND: Mapping[str, Reason] = {
    "dns": "dns",
    "refused": "refused",
    "reset": "reset",
    "cut": "reset",
    "tls": "tls",
    "timeout_connect": "timeout",
    "timeout_first_byte": "timeout",
    "egress_forbidden": "egress_forbidden",
}
_OF_ERROR: Mapping[str, Reason] = {
    "APITimeoutError": "timeout",
    "TimeoutError": "timeout",
    "Timeout": "timeout",
    "APIConnectionError": "reset",
    "EgressForbidden": "egress_forbidden",
    "ProbeFailed": "not_tested",
}


class ConnectionTester:
    """Tests connections, two at a time. `local` tells where the embedded model listens."""

    def __init__(self, local: Endpoint, *, allow_private: bool = True) -> None:
        self._local = local
        self._allow_private = allow_private
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, connection: Connection, model: str | None = None) -> ConnectionTest:
        """Ask for the list of models, or a model for a few tokens; raises nothing for what they do."""
        async with self._turn:
            spec = spec_of(connection, "", allow_private=self._allow_private)
            if connection.builtin and connection.name == "local":
                try:
                    spec = await self._located(spec)
                except (ServiceStillStarting, TimeoutError, EmbeddedServiceError) as error:
                    return _told(connection, model, ProbeResult(ok=False, message=str(error)), "not_ready")
            result = await probe(spec, model=model, timeout_s=TIMEOUT_S)
        return _told(connection, model, result, reason_of(result, model))

    def draft(self, wanted: RegisterProvider, present: Connection | None) -> Connection:
        """Return the connection that a registration would make. Raises InvalidInput for its address.

        Secrets that it leaves off are those of `present`, as long as the address stays the same.
        """
        url = normalise_base_url(wanted.base_url, dialect=wanted.dialect, allow_private=self._allow_private)
        kept = present if present is not None and present.base_url == url else None
        key, headers = wanted.api_key, wanted.headers
        return Connection(
            name=wanted.name,
            dialect=wanted.dialect,
            base_url=url,
            models=msgspec.convert(wanted.models, tuple[ModelSpec, ...], from_attributes=True),
            api_key=key if isinstance(key, str) else kept.api_key if kept else None,
            headers=headers if isinstance(headers, Mapping) else kept.headers if kept else {},
        )

    async def _located(self, spec: ProviderSpec) -> ProviderSpec:
        address = await self._local(time.monotonic() + TIMEOUT_S)
        return msgspec.structs.replace(
            spec, base_url=address.base_url, credential=Secret(address.api_key), allow_private=True
        )


def reason_of(result: ProbeResult, model: str | None) -> Reason:
    """Return what the result of a probe means."""
    if result.ok:
        return "ok"
    if result.status is not None:
        return _of_status(result.status, model)
    return _OF_KIND.get(result.kind) or _OF_ERROR.get(result.error, "malformed")


def _of_status(status: int, model: str | None) -> Reason:
    match status:
        case 401 | 402 | 403:
            return "credential_refused"
        case 404 | 405:
            return "no_model_list" if model is None else "model_not_found"
        case 429:
            return "rate_limited"
        case _:
            return "provider_error" if status >= 500 else "request_refused"


def _told(connection: Connection, model: str | None, result: ProbeResult, reason: Reason) -> ConnectionTest:
    listed = None if model is not None or not result.ok else len(result.models)
    missing = [m.name for m in connection.models if m.name not in result.models] if listed else []
    detail = _CURES[reason] if result.ok else f"{_CURES[reason]} ({result.message})"
    return ConnectionTest(
        provider=connection.name,
        dialect=connection.dialect,
        base_url=connection.base_url,
        ok=result.ok,
        reason=reason,
        detail=detail,
        status=result.status,
        latency_ms=round(result.latency_s * 1000),
        asked_model=model,
        models=listed,
        missing_models=tuple(missing[:MOST_MISSING]),
    )
