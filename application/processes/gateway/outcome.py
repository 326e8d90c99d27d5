"""What the gateway answers: a decision, a whole answer, a stream, or an error in the caller's dialect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import msgspec

from application.orchestration.dialects.errors import error_body
from application.orchestration.dialects.model import Dialect


class Whole(msgspec.Struct, frozen=True):
    """A complete answer with its headers."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class LastChunk(bytes):
    """The bytes that end a stream, so that its connection need not wait to learn that nothing follows."""


class Streamed(msgspec.Struct, frozen=True):
    """An answer of server-sent events; closing the iterator early means that the client has gone.

    The last of its chunks is a LastChunk.
    """

    chunks: AsyncIterator[bytes]
    headers: Mapping[str, str]


class Refused(Exception):
    """The request cannot be answered; carries everything the caller's dialect says about an error.

    `body` is a provider's own error, already in the caller's dialect, where there is one.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers: Mapping[str, str] = headers or {}
        self.extra: Mapping[str, object] = extra or {}
        self.body = body

    def render(self, dialect: Dialect, request_id: str) -> bytes:
        """Return the error's body in the caller's dialect."""
        if self.body is not None:
            return self.body
        return error_body(
            dialect,
            status=self.status,
            message=self.message,
            code=self.code,
            param=self.param,
            request_id=request_id,
            extra=self.extra,
        )
