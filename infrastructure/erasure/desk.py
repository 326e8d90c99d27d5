"""Everything that erasure needs in one process, put together; who carries out erasures asks it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from application.processes.erasure.cleanup import CleanupPorts
from application.processes.erasure.ports import LedgerEntry
from application.processes.erasure.process import Erasure, ErasurePorts, retry_later
from application.processes.erasure.starting import Start, start
from domain.memory.purge import Purge
from infrastructure.erasure.keys import PersonKeys
from infrastructure.erasure.ledger import PurgeLedger, ledger_path
from infrastructure.erasure.signing import signer
from infrastructure.erasure.stores import all_stores
from infrastructure.erasure.world import OutsideWorld
from infrastructure.event_store.live import LiveState
from infrastructure.jobs.locks import AdvisoryLocks
from infrastructure.runtime import Runtime
from infrastructure.settings import Settings
from projections.memory.erasure_live import TYPES
from projections.registry import PROJECTIONS
from projections.wait import ProjectionWaiter

SOFTWARE = f"artisan-aios {version('artisan-aios')}"


class ErasureDesk:
    """Carries out erasures of one installation. `pool` holds the locks; `open` it before use."""

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        pool: AsyncConnectionPool[AsyncConnection],
        *,
        reached: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        where = runtime.where
        self._runtime = runtime
        self._locks = AdvisoryLocks(pool)
        self._waiter = ProjectionWaiter(runtime.engine(where.system_dsn, size=2), _NAMES)
        self._redis: Redis = Redis.from_url(where.redis_url)
        self.ledger = PurgeLedger(ledger_path(settings))
        live = LiveState(runtime.reader, runtime.control_doorbell, TYPES, [])
        world = OutsideWorld(runtime.reader, self._waiter, live.everywhere, self.ledger, signer(runtime))
        self.keys = PersonKeys(runtime.keyring, runtime.shredder)
        self.stores = all_stores(settings, runtime, self.keys, self._redis)
        self._ports = ErasurePorts(
            log=runtime.log,
            keys=self.keys,
            stores=self.stores,
            world=world,
            clock=_clock,
            software=SOFTWARE,
            backups_kept=timedelta(days=settings.backup_retention_days),
            reached=reached,
        )

    async def open(self) -> None:
        """Begin to follow the read models."""
        await self._waiter.start()

    async def close(self) -> None:
        """Stop following."""
        await self._waiter.close()
        await self._redis.aclose()

    @property
    def cleanup_ports(self) -> CleanupPorts:
        """Return what the daily clean-up needs."""
        memories = next(store for store in self.stores if store.name == "memories")
        return CleanupPorts(self._runtime.log, memories, self.run, _clock)

    async def run(self, tenant: str, purge_id: str) -> Purge:
        """Carry out an erasure; a tenant's go one after another, so none seals anew what another erases.

        Raises Unavailable while another one is going, or when it must wait for something.
        """
        async with self._locks.try_hold(f"purge:{tenant}") as held:
            if not held:
                raise retry_later(f"a purge of tenant '{tenant}' is being carried out")
            return await Erasure(self._ports, tenant, purge_id).run()

    async def redo(self, entry: LedgerEntry) -> None:
        """Erase again what a restored log does not know to be erased."""
        wish = Start(
            tenant=entry.tenant,
            purge_id=entry.purge_id,
            selection=entry.selection,
            reason=entry.reason,
            legal_basis=entry.legal_basis,
            origin="ledger",
            actor="system/purge-ledger",
            at=_clock(),
            command_id=f"{entry.purge_id}.redo",
            decided_before=True,
        )
        await start(self._runtime.log, wish)
        await self.run(entry.tenant, entry.purge_id)

    async def unknown(self) -> list[LedgerEntry]:
        """Return what the ledger has and the log, restored from before, does not have as completed."""
        async with self._runtime.reader.connection() as conn:
            entries = await self.ledger.unknown(conn)
        return [entry for entry in entries if not await self._is_done(entry)]

    async def _is_done(self, entry: LedgerEntry) -> bool:
        purge = await self._runtime.log.load(Purge, f"{entry.tenant}/{Purge.KIND}/{entry.purge_id}")
        return purge.status == "completed"


def _clock() -> datetime:
    return datetime.now(UTC)


_NAMES = tuple(projection.name for projection in PROJECTIONS)
