"""Anchors: head positions and chain values kept in a file outside the database.

A chain inside the database can be rewritten by whoever administers it; an anchor outside shows that, and
shows when events at the tail are gone.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec


class Anchor(msgspec.Struct, frozen=True):
    """The chain value (hex) after the event at a position, and when it was written down."""

    position: int
    chain: str
    at: datetime


def read(path: Path) -> list[Anchor]:
    """Return the anchors of a file, oldest first; a torn last line (a crash) is passed over."""
    if not path.exists():
        return []
    anchors = []
    for line in path.read_bytes().splitlines():
        try:
            anchors.append(msgspec.json.decode(line, type=Anchor))
        except msgspec.MsgspecError:
            continue
    return anchors


def write(path: Path, position: int, chain: bytes) -> None:
    """Add an anchor, durable before this returns."""
    line = msgspec.json.encode(Anchor(position, chain.hex(), datetime.now(UTC))) + b"\n"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
