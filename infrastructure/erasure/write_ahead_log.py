"""PostgreSQL's write-ahead log: a checkpoint in a new segment lets the old ones, and what they hold, go.

With `wal_recycle = off` old segments are deleted instead of being reused with their old bytes. Their blocks
are free space of the file system from then on, which no reader of files sees.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import AsyncConnection, Error
from psycopg.errors import InsufficientPrivilege

from application.processes.erasure.ports import Found, Reach
from domain.kernel.errors import Unavailable

_SETTLE = (
    "SELECT pg_switch_wal()",
    "CHECKPOINT",
)
# A segment is old when it lies before the one of the last checkpoint's start.
_OLD = """
SELECT count(*) FROM pg_ls_waldir(), pg_control_checkpoint()
WHERE name ~ '^[0-9A-F]{24}$' AND name < pg_walfile_name(redo_lsn)
"""


class WriteAheadLog:
    """Implements ErasableStore; `dsn` may make checkpoints: the superuser of the embedded server."""

    name = "write_ahead_log"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def find(self, reach: Reach) -> Found:
        """It holds changes, not items."""
        return Found(0)

    async def keep(self, reach: Reach, kids: Sequence[str]) -> int:
        """Nothing here is sealed."""
        return 0

    async def erase(self, reach: Reach) -> int:
        """Old changes go when the files do."""
        return 0

    async def rewrite(self, reach: Reach) -> str:
        """Let old segments go."""
        try:
            async with await AsyncConnection.connect(self._dsn, autocommit=True) as conn:
                for statement in _SETTLE:
                    await conn.execute(statement)
                row = await (await conn.execute(_OLD)).fetchone()
        except InsufficientPrivilege:
            return "left to the server's own checkpoints: this role may not make one"
        except Error as error:
            raise Unavailable("database", f"no checkpoint: {type(error).__name__}", 2.0) from error
        old = int(row[0]) if row else 0
        kept = f"; {old} older segments are kept by the server (replication or archiving)" if old else ""
        return f"checkpoint in a new segment, old segments deleted{kept}"

    async def verify(self, reach: Reach) -> int:
        """What is left is said by `rewrite`."""
        return 0
