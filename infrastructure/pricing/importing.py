"""Brings the installed price book into the log, before anything is priced by it; once an edition."""

from __future__ import annotations

import hashlib
import zlib
from datetime import datetime
from pathlib import Path

import msgspec

from application.ports import AppendRequest, EventLog, NewEvent
from domain.kernel.aggregate import stream_id
from domain.kernel.names import DEFAULT_TENANT
from domain.usage.price_events import PriceBookImported
from infrastructure.pricing.book import PACKAGE, edition_path, package_edition
from infrastructure.pricing.edition import Edition

KIND = "price-book"


async def import_price_book(log: EventLog, directory: Path, at: datetime) -> None:
    """Append the edition in `directory` unless the log has it. Raises Unavailable."""
    installed = package_edition()
    stream = stream_id(DEFAULT_TENANT, KIND, installed.name)
    async for _ in log.read_stream(stream):
        return
    content = edition_path(directory, installed.name).read_bytes()
    edition = msgspec.msgpack.decode(content, type=Edition)
    event = PriceBookImported(
        edition=installed.name,
        package=PACKAGE,
        package_version=installed.version,
        source_hash=installed.source_hash,
        content_hash=hashlib.sha256(content).hexdigest(),
        providers=len(edition.providers),
        models=sum(len(msgspec.msgpack.decode(each.models)) for each in edition.providers),
        imported_at=at,
        content=zlib.compress(content, 9),
    )
    await log.append(
        AppendRequest(
            tenant=DEFAULT_TENANT,
            command_id=f"{KIND}/{installed.name}",
            events=(NewEvent(stream, event),),
            correlation="start",
            actor="system/prices",
        )
    )


def edition_of(event: PriceBookImported) -> Edition:
    """Return the edition that an event holds, so that what it priced can be explained for ever."""
    return msgspec.msgpack.decode(zlib.decompress(event.content), type=Edition)
