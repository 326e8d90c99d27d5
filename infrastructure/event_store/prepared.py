"""What can be done for a command before its batch begins: checking, encoding, and length-prefixing its texts.

PostgreSQL's array elements and the leaf hash both put a 4-byte big-endian length before each text, so one
prefixed form serves both, and the transaction that holds the head's lock only joins bytes.
"""

from __future__ import annotations

import asyncio
import struct
import time
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from application.ports import Appended, AppendRequest
from domain.kernel.errors import InvalidInput
from infrastructure.event_store.codec import Encoded, encode

_LENGTH = struct.Struct(">I").pack


def prefixed(raw: bytes) -> bytes:
    """Return bytes behind their length."""
    return _LENGTH(len(raw)) + raw


@lru_cache(4096)
def prefixed_text(text: str) -> bytes:
    """Return a text that comes up again and again (tenant, type, actor) as prefixed UTF-8."""
    return prefixed(text.encode())


class PreparedEvent(msgspec.Struct, eq=False):
    """One event of a command, ready but for its position and version."""

    stream_id: str
    expected_version: int | None
    stream: bytes
    type: bytes
    encoded: Encoded
    data: bytes


class PreparedCommand(msgspec.Struct, eq=False):
    """A command in the committer's queue; `key` is its primary key, `answer` what its caller awaits.

    `origin` is command id, correlation and actor in a row, as the leaf hash has them.
    """

    request: AppendRequest
    key: str
    tenant: bytes
    command: bytes
    correlation: bytes
    actor: bytes
    origin: bytes
    events: list[PreparedEvent]
    answer: asyncio.Future[Appended]
    since: float

    def refuse(self, error: Exception) -> None:
        """Answer with an error, unless the caller has gone or has its answer."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def resolve(self, stored: Appended) -> None:
        """Answer with the positions, unless the caller has gone."""
        if not self.answer.done():
            self.answer.set_result(stored)


def prepare(request: AppendRequest, loop: asyncio.AbstractEventLoop) -> PreparedCommand:
    """Check and encode a command to be answered in `loop`.

    Raises InvalidInput for ids that PostgreSQL cannot hold.
    """
    tenant, command_id = request.tenant, request.command_id
    if "\0" in f"{tenant}{command_id}{request.correlation}{request.actor}":
        raise InvalidInput("a NUL character cannot be stored in an id; remove it")
    at = datetime.now(UTC)
    prefix = f"{tenant}/"
    events = []
    for number, new in enumerate(request.events):
        stream_id = new.stream_id
        if "\0" in stream_id:
            raise InvalidInput("a NUL character cannot be stored in an id; remove it")
        if not stream_id.startswith(prefix):
            raise InvalidInput(f"stream '{stream_id}' is not of tenant '{tenant}'")
        encoded = encode(new.event, tenant, f"{command_id}.{number}", at)
        data = b"" if encoded.personal else prefixed(encoded.body)
        stream, kind = prefixed(stream_id.encode()), prefixed_text(encoded.type)
        events.append(PreparedEvent(stream_id, new.expected_version, stream, kind, encoded, data))
    command, correlation = prefixed(command_id.encode()), prefixed(request.correlation.encode())
    actor = prefixed_text(request.actor)
    return PreparedCommand(
        request,
        prefix + command_id,
        prefixed_text(tenant),
        command,
        correlation,
        actor,
        command + correlation + actor,
        events,
        loop.create_future(),
        time.monotonic(),
    )
