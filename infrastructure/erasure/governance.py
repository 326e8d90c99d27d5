"""Erasure as an API process needs it: tombstones in memory, audit log, previews, exports, public key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import ClassVar

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncConnection

from application.memory.access_log import AccessLog
from application.memory.erasure_handlers import ErasureCommandPorts
from application.memory.pii import PiiScrubbing, ScrubRules
from application.memory.pii_phone_plans import LibraryPhonePlans
from application.ports import Clock
from application.processes.erasure.ports import Reach
from domain.kernel.aggregate import stream_id
from domain.memory.purge import Purge
from domain.memory.retention import ENTITY, Retention
from domain.memory.selection import Selection, check_selection
from infrastructure.erasure.export import OriginalsAbout, SubjectExport
from infrastructure.erasure.keys import PersonKeys
from infrastructure.erasure.signing import ALGORITHM, signer
from infrastructure.erasure.stores import all_stores
from infrastructure.runtime import Runtime
from infrastructure.settings import Settings
from projections.memory.erasure_live import TYPES, ErasureDirectory

Reading = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]


class Governance:
    """Make it inside the event loop; fold control events of TYPES into `directory`, then `start` it."""

    TYPES: ClassVar[tuple[str, ...]] = TYPES

    def __init__(
        self, settings: Settings, runtime: Runtime, reading: Reading, clock: Clock, originals: OriginalsAbout
    ) -> None:
        self.directory = ErasureDirectory()
        self.access = AccessLog(runtime.committer.append)
        self._runtime = runtime
        self._clock = clock
        self._redis: Redis = Redis.from_url(runtime.where.redis_url)
        self._stores = all_stores(
            settings, runtime, PersonKeys(runtime.keyring, runtime.shredder), self._redis
        )
        self._export = SubjectExport(reading, runtime.app_pool, runtime.reader, originals)
        self._scrubbing = PiiScrubbing(LibraryPhonePlans())
        self._approval = settings.purge_approval == "required"
        self.signer = signer(runtime)

    @property
    def ports(self) -> ErasureCommandPorts:
        """Return what erasure's handlers need."""
        return ErasureCommandPorts(
            reference=self._runtime.keyring.subject_reference,
            clean=self.clean,
            approval_required=self._approval,
        )

    @property
    def public_keys(self) -> list[dict[str, str]]:
        """Return the keys that certificates are checked with."""
        key = self.signer
        return [{"key_id": key.key_id, "algorithm": ALGORITHM, "public_key": key.public_key}]

    def start(self) -> None:
        """Begin to write the audit log."""
        self.access.start()

    async def close(self) -> None:
        """Write what is waiting."""
        await self.access.close()
        await self._redis.aclose()

    async def clean(self, text: str) -> str:
        """Return a text without personal data that has a form: it goes into the log for good."""
        return str((await self._scrubbing.scrub(text, ScrubRules())).value)

    def reference(self, tenant: str, subject_id: str) -> str:
        """Return a person's pseudonym."""
        return self._runtime.keyring.subject_reference(tenant, subject_id)

    async def preview(self, tenant: str, selection: Selection) -> dict[str, int]:
        """Return what a purge would erase by store. Raises InvalidInput, and Conflict for held data."""
        at = self._clock()
        check_selection(selection, at)
        retention = await self._runtime.log.load(Retention, stream_id(tenant, Retention.KIND, ENTITY))
        retention.check(selection)
        upto = await self._runtime.log.head()
        reach = Reach(tenant=tenant, purge_id="preview", selection=selection, upto=upto, at=at)
        return {store.name: (await store.find(reach)).count for store in self._stores}

    async def purge(self, tenant: str, purge_id: str) -> Purge:
        """Return a purge as its events tell it; `requested` is None when there is none."""
        return await self._runtime.log.load(Purge, stream_id(tenant, Purge.KIND, purge_id))

    async def held(self, tenant: str, subject: str) -> dict[str, int]:
        """Return how much is held about a person."""
        return await self._export.counts(tenant, subject)

    def export(self, tenant: str, subject_id: str, at: datetime, *, reveals: bool) -> AsyncIterator[bytes]:
        """Yield everything held about a person as one JSON object; what pseudonyms hide if it `reveals`."""
        subject = self.reference(tenant, subject_id)
        return self._export.document(tenant, subject_id, subject, at, reveals=reveals)
