"""Leaves the embedded model's prefix cache out of its usage, for nothing is bought or saved by it.

In Anthropic's words `input_tokens` leaves cached tokens out, so a caller would see one token of its prompt.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

from application.orchestration.upstream import UpstreamAnswer

_CACHED = re.compile(rb'("cached_tokens"\s*:\s*)\d+')


class Uncached:
    """UpstreamAnswer whose `cached_tokens` are 0; the embedded server writes each event in one piece."""

    def __init__(self, inner: UpstreamAnswer) -> None:
        self._inner = inner

    @property
    def status(self) -> int:
        """See UpstreamAnswer.status."""
        return self._inner.status

    @property
    def headers(self) -> Mapping[str, str]:
        """See UpstreamAnswer.headers."""
        return self._inner.headers

    async def read(self, limit: int) -> bytes:
        """See UpstreamAnswer.read."""
        return _zeroed(await self._inner.read(limit))

    async def chunks(self) -> AsyncIterator[bytes]:
        """See UpstreamAnswer.chunks."""
        async for chunk in self._inner.chunks():
            yield _zeroed(chunk)

    def commit(self) -> None:
        """See UpstreamAnswer.commit."""
        self._inner.commit()

    async def aclose(self) -> None:
        """See UpstreamAnswer.aclose."""
        await self._inner.aclose()


def _zeroed(part: bytes) -> bytes:
    return _CACHED.sub(rb"\g<1>0", part)
