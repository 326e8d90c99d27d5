"""Scrubbing in one API process, put together: the detector, pseudonyms from data keys, sealed originals."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from application.binding import bind
from application.memory.pii import PiiScrubbing, PseudonymOwner
from application.memory.pii_handlers import HANDLERS, Original, PiiPorts
from application.memory.pii_phone_plans import LibraryPhonePlans
from application.ports import EventLog
from application.processes.gateway.pii.guard import Scrubs
from domain.memory.pii.scrubbing import KeyedFunction
from domain.memory.pseudonym_events import PseudonymsSealed
from infrastructure.keyring.keyring import Keyring, Scope
from infrastructure.runtime import Runtime
from projections.memory.pseudonyms_queries import positions_of

Reading = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]
_NONCE: Final = b"aios-pii-key"
_LABEL: Final = b"key of pseudonyms"


class KeyringPseudonymKeys:
    """Makes pseudonyms under the data key of the owner's month, so that they die with it.

    The key of the tokens is the keystream of AES-GCM under a nonce that is used for nothing else (sealing
    draws random ones); who has not the data key learns nothing from it.
    """

    def __init__(self, keyring: Keyring, clock: Callable[[], datetime]) -> None:
        self._keyring = keyring
        self._clock = clock

    async def keyed(self, owner: PseudonymOwner) -> KeyedFunction:
        """See `PseudonymKeys`."""
        scope = Scope(owner.tenant, owner.subject, owner.category, f"{self._clock():%Y-%m}")
        await self._keyring.ensure({scope})
        secret = self._keyring.sealing_key(scope).aead.encrypt(_NONCE, bytes(32), _LABEL)[:32]
        return lambda data: hmac.digest(secret, data, hashlib.sha256)


class SealedOriginals:
    """Answers `Originals` from the log, which is the only place where they stand."""

    def __init__(self, reading: Reading, barrier: Callable[[], Awaitable[None]], log: EventLog) -> None:
        self._reading = reading
        self._barrier = barrier
        self._log = log

    async def __call__(self, tenant: str, tokens: Sequence[str]) -> Mapping[str, Original]:
        """See `Originals`."""
        await self._barrier()
        async with self._reading(tenant) as conn:
            places = await positions_of(conn, tokens)
        found: dict[str, Original] = {}
        for position in sorted(set(places.values())):
            found |= await self._at(tenant, position)
        return {token: found[token] for token in tokens if token in found}

    async def _at(self, tenant: str, position: int) -> Mapping[str, Original]:
        events = self._log.read(after=position - 1, types=[PseudonymsSealed.TYPE], tenant=tenant)
        async for envelope in events:
            event = envelope.event
            if envelope.position != position or not isinstance(event, PseudonymsSealed):
                break
            values = event.originals if isinstance(event.originals, tuple) else [None] * len(event.tokens)
            return {
                token: Original(value, event.source)
                for token, value in zip(event.tokens, values, strict=True)
            }
        return {}


class LivePii:
    """What an API process needs to scrub; make it once."""

    def __init__(
        self,
        runtime: Runtime,
        reading: Reading,
        barrier: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        reference = runtime.keyring.subject_reference
        self.scrubbing = PiiScrubbing(LibraryPhonePlans(), KeyringPseudonymKeys(runtime.keyring, clock))
        self.scrubs = Scrubs(self.scrubbing, reference)
        originals = SealedOriginals(reading, barrier, runtime.log)
        self.handlers = bind(HANDLERS, PiiPorts(self.scrubbing, reference, originals))
