"""Personal data in texts: find it, take it out, turn pseudonyms back."""

from __future__ import annotations

from litestar import Response, Router
from litestar.params import JSONBody

from application.memory.pii_commands import (
    REVEALERS,
    SEARCHERS,
    DetectPii,
    PiiFound,
    RevealPseudonyms,
    ScrubText,
    TextRevealed,
    TextScrubbed,
)
from interfaces.http.idempotency import KEPT
from interfaces.http.request import ApiRequest
from interfaces.http.routing import create
from interfaces.http.writes import written


class ScrubWritten(TextScrubbed, frozen=True, kw_only=True):
    """The text without personal data; `position` is 0 when nothing had to be stored."""

    position: int


class RevealWritten(TextRevealed, frozen=True, kw_only=True):
    """The text with its originals; `position` is where the log tells that they were shown."""

    position: int


@create(
    "/pii/detect",
    roles=SEARCHERS,
    status_code=200,
    summary="Find personal data in a text",
    operation_id="detectPii",
)
async def detect_pii(request: ApiRequest, data: JSONBody[DetectPii]) -> PiiFound:
    """Return where personal data stands; the text is not stored."""
    found: PiiFound = (await request.dispatch(data)).result
    return found


@create(
    "/pii/scrub",
    roles=SEARCHERS,
    status_code=200,
    summary="Take personal data out of a text",
    operation_id="scrubText",
)
async def scrub_text(request: ApiRequest, data: JSONBody[ScrubText]) -> Response[ScrubWritten]:
    """Return the text redacted, with placeholders, or with pseudonyms that can be turned back."""
    return written(ScrubWritten, await request.dispatch(data))


@create(
    "/pii/reveal",
    roles=REVEALERS,
    opt={KEPT: False},
    status_code=200,
    summary="Turn the pseudonyms in a text back",
    operation_id="revealPseudonyms",
)
async def reveal_pseudonyms(request: ApiRequest, data: JSONBody[RevealPseudonyms]) -> Response[RevealWritten]:
    """Return the text with the originals of its pseudonyms, where their data key still exists."""
    return written(RevealWritten, await request.dispatch(data))


router = Router("/", route_handlers=[detect_pii, scrub_text, reveal_pseudonyms], tags=["memory"])
