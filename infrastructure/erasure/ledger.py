"""The ledger of purges: a file outside the databases that says what must be erased again after a restore.

One JSON object a line, appended and synced before any key is destroyed. It holds pseudonyms only.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec
from psycopg import AsyncConnection, Error

from application.processes.erasure.ports import LedgerEntry
from domain.kernel.errors import Unavailable
from domain.memory.erasure_events import PurgeCompleted
from domain.memory.purge import Purge
from infrastructure.runtime import Endpoints
from infrastructure.settings import Settings

_COMPLETED = "SELECT stream_id FROM events WHERE type = %s AND stream_id = ANY(%s)"
_CHAINS = "SELECT position, chain_hash FROM events WHERE position = ANY(%s)"


def ledger_path(settings: Settings) -> Path:
    """Return where the ledger is."""
    return settings.data_dir / "audit" / "purges.jsonl"


class PurgeLedger:
    """Reads and appends; any number of processes may."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self) -> list[LedgerEntry]:
        """Return all entries, oldest first; a torn last line (a crash) is passed over."""
        if not self._path.exists():
            return []
        found = []
        for line in self._path.read_bytes().splitlines():
            try:
                found.append(msgspec.json.decode(line, type=LedgerEntry))
            except msgspec.MsgspecError:
                continue
        return found

    def enter(self, entry: LedgerEntry) -> None:
        """Append an entry unless the same purge at the same position has one; durable when this returns."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if any((e.purge_id, e.position) == (entry.purge_id, entry.position) for e in self.entries()):
                return
            torn = file.seek(0, os.SEEK_END) > 0 and not self._path.read_bytes().endswith(b"\n")
            file.write((b"\n" if torn else b"") + msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(self._path.parent)

    async def unknown(self, conn: AsyncConnection) -> list[LedgerEntry]:
        """Return the newest entry of each purge that a log does not have as the ledger does.

        The log is a chain: where it has an entry's chain value, it has the purge before that. `conn` sees all
        tenants.
        """
        entries = self.entries()
        cursor = await conn.execute(_CHAINS, [sorted({entry.position for entry in entries})])
        chains = {position: bytes(chain).hex() for position, chain in await cursor.fetchall()}
        known = {entry.purge_id for entry in entries if chains.get(entry.position) == entry.chain}
        newest = {entry.purge_id: entry for entry in entries if entry.purge_id not in known}
        return list(newest.values())


async def require_redone(settings: Settings, where: Endpoints) -> None:
    """Raise Unavailable when the log was restored from before a purge that was not carried out again."""
    ledger = PurgeLedger(ledger_path(settings))
    if not ledger.entries():
        return
    try:
        async with await AsyncConnection.connect(where.system_dsn) as conn:
            unknown = await ledger.unknown(conn)
            streams = {f"{e.tenant}/{Purge.KIND}/{e.purge_id}" for e in unknown}
            cursor = await conn.execute(_COMPLETED, [PurgeCompleted.TYPE, sorted(streams)])
            missing = streams - {stream for (stream,) in await cursor.fetchall()}
    except Error as error:
        raise Unavailable("database", f"the log does not answer: {type(error).__name__}", 1.0) from error
    if missing:
        raise Unavailable(
            "erasure",
            f"the log was restored from before {len(missing)} purges; nothing is served until "
            "`aios migrate` has carried them out again",
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
