"""What every process of the product opens: databases, keyring, event log; embedded where none is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.kernel.events import EventRegistry
from infrastructure import secret_files
from infrastructure.database import engines
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.valkey import EmbeddedValkey
from infrastructure.event_store.committer import GroupCommitter
from infrastructure.event_store.fence import KeyFence
from infrastructure.event_store.listing import EventListing
from infrastructure.event_store.log import PostgresEventLog
from infrastructure.event_store.reader import LogReader
from infrastructure.event_store.statements import CONTROL_CHANNEL
from infrastructure.event_store.tail import Doorbell, Tail
from infrastructure.keyring.keyring import Keyring
from infrastructure.keyring.kms import FileKms
from infrastructure.keyring.shredder import Shredder
from infrastructure.keyring.watch import KeyWatch
from infrastructure.quota.counters import QuotaCounters
from infrastructure.settings import Settings

Say = Callable[[str], None]


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where the databases are, one URL a role; they hold passwords. `admin_dsn` only when embedded."""

    app_dsn: str
    system_dsn: str
    owner_dsn: str
    keyring_dsn: str
    redis_url: str
    admin_dsn: str | None = None

    def __repr__(self) -> str:
        return "Endpoints(***)"


def endpoints(settings: Settings, say: Say) -> Endpoints:
    """Return where the databases are; embedded ones are started when they do not run yet."""
    redis_url = settings.redis_url or EmbeddedValkey(settings.data_dir, say=say).ensure_running().url
    url = settings.database_url
    if url is not None:
        return Endpoints(
            app_dsn=engines.as_role(url, "aios_app"),
            system_dsn=engines.as_role(url, "aios_system"),
            owner_dsn=url,
            keyring_dsn=settings.keyring_url or url,
            redis_url=redis_url,
        )
    found = EmbeddedPostgres(settings.data_dir, say=say).ensure_running()
    return Endpoints(
        app_dsn=found.app_dsn,
        system_dsn=found.system_dsn,
        owner_dsn=found.owner_dsn,
        keyring_dsn=settings.keyring_url or found.keyring_dsn,
        redis_url=redis_url,
        admin_dsn=found.admin_dsn,
    )


class Runtime:
    """The open event log of one process. Make it inside the event loop, then `open` it."""

    def __init__(
        self,
        settings: Settings,
        where: Endpoints,
        registry: EventRegistry,
        *,
        name: str,
        control_types: Sequence[str] = (),
        observe_commit: Callable[[int, float], None] | None = None,
    ) -> None:
        self.where = where
        self.kms = FileKms(secret_files.keys_folder(settings), secret_files.master_key(settings))
        self.system_pool = engines.pool(where.system_dsn, size=6, application=f"aios-{name}")
        self._head_pool = engines.pool(
            where.system_dsn, size=2, application=f"aios-{name}-head", autocommit=True
        )
        self._keyring_pool = engines.pool(where.keyring_dsn, size=2, application=f"aios-{name}-keys")
        self.app_pool = engines.pool(where.app_dsn, size=4, application=f"aios-{name}-app")
        self.keyring = Keyring(self._keyring_pool, self.kms)
        self.shredder = Shredder(self.keyring, self.kms, KeyFence(self.system_pool))
        self.reader = LogReader(self.system_pool, registry, self.keyring, self._head_pool)
        self.quota_counters = QuotaCounters()
        self.committer = GroupCommitter(
            where.system_dsn,
            self.keyring,
            frozenset(control_types),
            observe_commit,
            inline=[self.quota_counters],
        )
        self.log = PostgresEventLog(self.committer, self.reader, self.keyring)
        self.doorbell = Doorbell(where.system_dsn)
        self.control_doorbell = Doorbell(where.system_dsn, CONTROL_CHANNEL)
        self.tail = Tail(self.reader, self.doorbell)
        self.listing = EventListing(self.app_pool, self.reader)
        self._name = name
        self._exits = AsyncExitStack()

    async def open(self, *, doorbell: bool = False, control: bool = False) -> None:
        """Connect; `doorbell` listens to every commit, `control` to those with control events."""
        for pool in (self.system_pool, self._head_pool, self._keyring_pool, self.app_pool):
            await pool.open()
            self._exits.push_async_callback(pool.close)
        await self.keyring.prepare()
        watch = KeyWatch(self.where.keyring_dsn, self.keyring)
        await watch.start()
        self._exits.push_async_callback(watch.close)
        self._exits.push_async_callback(self.committer.close)
        for wanted, bell in ((doorbell, self.doorbell), (control, self.control_doorbell)):
            if wanted:
                await bell.start()
                self._exits.push_async_callback(bell.close)

    def engine(self, dsn: str, *, size: int = 5) -> AsyncEngine:
        """Return an engine that is disposed of when the runtime closes."""
        made = engines.engine(dsn, size=size, application=f"aios-{self._name}")
        self._exits.push_async_callback(partial(made.dispose))
        return made

    async def close(self) -> None:
        """Store what is waiting and close every connection."""
        await self._exits.aclose()
