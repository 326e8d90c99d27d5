"""Carries one erasure through its steps; each is recorded when it is done and never done twice in vain.

    scope -> keep what stays -> ledger -> destroy keys -> erase -> rewrite -> verify -> certificate

A crash at any point is followed by the same steps from the first that is not recorded. What was under way
when the selection was closed shows up when the stores are verified, and leads to another round.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from application.ports import AppendRequest, Clock, EventLog, NewEvent
from application.processes.erasure.certificate import certificate_of
from application.processes.erasure.ports import (
    ErasableStore,
    ErasureKeys,
    ErasureWorld,
    Found,
    KeyScope,
    LedgerEntry,
    Reach,
)
from domain.kernel.aggregate import stream_id
from domain.kernel.errors import Corrupt, NotFound, Unavailable
from domain.kernel.events import Event
from domain.memory.erasure_events import (
    PurgeCompleted,
    PurgeKeysDestroyed,
    PurgeRekeyed,
    PurgeScoped,
    PurgeStoreErased,
    PurgeStoreRenewed,
    PurgeVerified,
    SelectionFreed,
)
from domain.memory.purge import Purge
from domain.memory.retention import ENTITY, Retention

ACTOR = "system/erasure"
MOST_ROUNDS = 10
KEY_IDS_SHOWN = 1000
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ErasurePorts:
    """What carrying out an erasure needs.

    `reached` is told of each step before it is done (`keep`), and before it is recorded (`keep.record`).
    """

    log: EventLog
    keys: ErasureKeys
    stores: Sequence[ErasableStore]
    world: ErasureWorld
    clock: Clock
    software: str
    backups_kept: timedelta
    reached: Callable[[str], Awaitable[None]] | None = None


class Erasure:
    """One erasure under way. Only one process may carry it out at a time."""

    def __init__(self, ports: ErasurePorts, tenant: str, purge_id: str) -> None:
        self._ports = ports
        self._tenant = tenant
        self._id = purge_id
        self._stream = stream_id(tenant, Purge.KIND, purge_id)

    async def run(self) -> Purge:
        """Do what is left to do; returns the purge, which is completed unless it waits for an approval.

        Raises NotFound, and Unavailable when it should be tried again.
        """
        purge = await self._load()
        if purge.requested is None:
            raise NotFound(f"there is no purge '{self._id}'")
        while purge.status == "running":
            await self._next(purge)
            purge = await self._load()
        return purge

    async def _next(self, purge: Purge) -> None:
        """Do the first step that is not recorded yet."""
        erased, rewritten = purge.erased, purge.rewritten
        if not purge.scopes or (purge.verified and any(purge.verified.left.values())):
            await self._step("scope", self._scope, purge)
        elif len(purge.rekeyed) < purge.round:
            await self._step("keep", self._keep, purge)
        elif len(purge.destroyed) < purge.round:
            await self._step("destroy", self._destroy, purge)
        elif store := next((s for s in self._ports.stores if s.name not in erased), None):
            await self._step(f"erase.{store.name}", self._erase, purge, store)
        elif store := next((s for s in self._ports.stores if s.name not in rewritten), None):
            await self._step(f"rewrite.{store.name}", self._rewrite, purge, store)
        elif purge.verified is None:
            await self._step("verify", self._verify, purge)
        else:
            await self._step("certify", self._certify, purge)

    async def _step(self, name: str, step: Callable[..., Awaitable[None]], *arguments: object) -> None:
        logger.info("purge %s: %s", self._id, name)
        await self._reached(name)
        await step(*arguments)

    async def _reached(self, step: str) -> None:
        if self._ports.reached is not None:
            await self._ports.reached(step)

    async def _scope(self, purge: Purge) -> None:
        """Close the set of what is to be erased: after this, nothing is added to it."""
        if purge.round >= MOST_ROUNDS:
            raise Corrupt(f"purge {self._id} does not come to an end: something restores what it erases")
        world, keys = self._ports.world, self._ports.keys
        position, _ = await world.head()
        await world.hidden(position)
        await world.settled(position)
        shared: frozenset[KeyScope] = frozenset()
        while True:
            kids = await keys.choose(self._tenant, purge.selection, shared)
            upto = await keys.retire(self._tenant, self._id, kids)
            await world.settled(upto)
            reach = self._reach(purge, upto)
            found = {store.name: await store.find(reach) for store in self._ports.stores}
            more = frozenset().union(*(each.shared for each in found.values()))
            if more <= shared:
                break
            shared |= more
        await self._record("scope", purge, await self._scoped(purge, upto, found))

    async def _scoped(self, purge: Purge, upto: int, found: dict[str, Found]) -> PurgeScoped:
        head, chain = await self._ports.world.head()
        return PurgeScoped(
            purge_id=self._id,
            round=purge.round + 1,
            upto=upto,
            head=head,
            chain=chain,
            found={name: each.count for name, each in found.items()},
            keys=len(await self._ports.keys.retired(self._tenant, self._id)),
            scoped_at=self._ports.clock(),
        )

    async def _keep(self, purge: Purge) -> None:
        kids = await self._ports.keys.retired(self._tenant, self._id)
        reach = self._reach(purge)
        kept = {store.name: await store.keep(reach, kids) for store in self._ports.stores}
        await self._record("keep", purge, PurgeRekeyed(purge_id=self._id, round=purge.round, kept=kept))

    async def _destroy(self, purge: Purge) -> None:
        await self._ports.world.enter(self._entry(purge))
        kids = await self._ports.keys.retired(self._tenant, self._id)
        done = await self._ports.keys.destroy(self._tenant, kids, self._id)
        if done.opened_after:
            raise Corrupt(f"purge {self._id}: {done.opened_after} destroyed keys still open")
        before = sum(each.destroyed for each in purge.destroyed)
        event = PurgeKeysDestroyed(
            purge_id=self._id,
            round=purge.round,
            destroyed=done.destroyed - before,
            attempts=done.attempts,
            opened_after=done.opened_after,
            key_ids_sha256=hashlib.sha256("".join(f"{kid}\n" for kid in kids).encode()).hexdigest(),
            key_ids=tuple(kids[:KEY_IDS_SHOWN]),
            destroyed_at=self._ports.clock(),
        )
        await self._record("destroy", purge, event)

    def _entry(self, purge: Purge) -> LedgerEntry:
        requested, scoped = purge.requested, purge.scopes[-1]
        if requested is None:
            raise NotFound("there is no such purge")
        return LedgerEntry(
            purge_id=self._id,
            tenant=self._tenant,
            selection=requested.selection,
            reason=requested.reason,
            legal_basis=requested.legal_basis,
            at=scoped.scoped_at,
            position=scoped.head,
            chain=scoped.chain,
        )

    async def _erase(self, purge: Purge, store: ErasableStore) -> None:
        removed = await store.erase(self._reach(purge))
        event = PurgeStoreErased(purge_id=self._id, round=purge.round, store=store.name, removed=removed)
        await self._record(f"erase.{store.name}", purge, event)

    async def _rewrite(self, purge: Purge, store: ErasableStore) -> None:
        if not purge.rewritten:  # a rewrite tells the read models nothing: the first of a round waits
            await self._settled()
        how = await store.rewrite(self._reach(purge))
        event = PurgeStoreRenewed(purge_id=self._id, round=purge.round, store=store.name, how=how)
        await self._record(f"rewrite.{store.name}", purge, event)

    async def _verify(self, purge: Purge) -> None:
        await self._settled()
        left = {store.name: await store.verify(self._reach(purge)) for store in self._ports.stores}
        at = self._ports.clock()
        event = PurgeVerified(purge_id=self._id, round=purge.round, left=left, verified_at=at)
        await self._record("verify", purge, event)

    async def _certify(self, purge: Purge) -> None:
        at = self._ports.clock()
        unsigned = certificate_of(
            purge,
            tenant=self._tenant,
            head=await self._ports.world.head(),
            software=self._ports.software,
            at=at,
            backups_kept=self._ports.backups_kept,
        )
        completed = PurgeCompleted(
            purge_id=self._id,
            erased=purge.found(),
            certificate=self._ports.world.sign(msgspec.to_builtins(unsigned)),
            completed_at=at,
        )
        freed = NewEvent(
            stream_id(self._tenant, Retention.KIND, ENTITY), SelectionFreed(purge_id=self._id, freed_at=at)
        )
        await self._record("certify", purge, completed, freed)

    async def _settled(self) -> None:
        """Wait until read models, which may be seconds behind, have done what the steps before told them."""
        position, _ = await self._ports.world.head()
        await self._ports.world.settled(position)

    def _reach(self, purge: Purge, upto: int | None = None) -> Reach:
        if purge.started is None:
            raise NotFound(f"purge {self._id} has not begun")
        return Reach(
            tenant=self._tenant,
            purge_id=self._id,
            selection=purge.selection,
            upto=purge.scopes[-1].upto if upto is None else upto,
            at=purge.started.started_at,
        )

    async def _load(self) -> Purge:
        return await self._ports.log.load(Purge, self._stream)

    async def _record(self, step: str, purge: Purge, event: Event, *beside: NewEvent) -> None:
        """Record a step, once a round, unless somebody else recorded one meanwhile."""
        await self._reached(f"{step}.record")
        await self._ports.log.append(
            AppendRequest(
                tenant=self._tenant,
                command_id=f"{self._id}.{purge.round}.{step}",
                events=(NewEvent(self._stream, event, purge.version), *beside),
                correlation=self._id,
                actor=ACTOR,
            )
        )


def retry_later(problem: str) -> Unavailable:
    """Return the error that lets an erasure be tried again in a moment."""
    return Unavailable("erasure", problem, 2.0)
