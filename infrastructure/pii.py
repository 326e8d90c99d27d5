"""Scrubbing in one API process, put together: the detector, pseudonyms from data keys, sealed originals."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from application.binding import bind
from application.memory.pii import PiiScrubbing, PseudonymOwner
from application.memory.pii_handlers import HANDLERS, Original, PiiPorts
from application.memory.pii_phone_plans import LibraryPhonePlans
from application.processes.gateway.pii.guard import Scrubs
from domain.kernel.personal import month_bucket
from domain.memory.memory import memory_of, memory_stream
from domain.memory.pii.scrubbing import KeyedFunction
from domain.memory.policy import PolicyBook
from domain.memory.pseudonym_events import PseudonymsSealed
from infrastructure.keyring.keyring import Keyring, Scope
from infrastructure.runtime import Runtime
from projections.memory.pseudonyms_queries import PseudonymPlace, places_of, tokens_about

Reading = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]
PAGE: Final = 200
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
        month = month_bucket(owner.moment or self._clock())
        scope = Scope(owner.tenant, owner.subject, owner.category, month)
        await self._keyring.ensure({scope})
        secret = self._keyring.sealing_key(scope).aead.encrypt(_NONCE, bytes(32), _LABEL)[:32]
        return lambda data: hmac.digest(secret, data, hashlib.sha256)


class SealedOriginals:
    """Answers `Originals` from the log, which is the only place where they stand.

    `book` gives a tenant's memory policies and what is being erased: what has ended is as good as erased.
    """

    def __init__(
        self,
        runtime: Runtime,
        reading: Reading,
        barrier: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime],
        book: Callable[[str], PolicyBook],
    ) -> None:
        self._reader = runtime.reader
        self._log = runtime.log
        self._reading = reading
        self._barrier = barrier
        self._clock = clock
        self._book = book

    async def __call__(self, tenant: str, tokens: Sequence[str]) -> Mapping[str, Original]:
        """See `Originals`."""
        await self._barrier()
        async with self._reading(tenant) as conn:
            places = await places_of(conn, tokens, self._book(tenant), self._clock())
        sealed: dict[str, Mapping[str, str]] = {}
        for place in places:
            if place.readable and place.source not in sealed:
                sealed[place.source] = await self._opened(tenant, place)
        return {
            place.token: Original(sealed.get(place.source, {}).get(place.token), place.source)
            for place in places
        }

    async def about(self, tenant: str, subject: str) -> AsyncIterator[Mapping[str, str]]:
        """Yield every pseudonym of a person that can still be turned back, with its original."""
        after = ""
        while True:
            async with self._reading(tenant) as conn:
                tokens = await tokens_about(conn, subject, after=after, limit=PAGE)
            for token, original in (await self(tenant, tokens)).items() if tokens else ():
                if original.value is not None:
                    yield {"token": token, "original": original.value, "source": original.source}
            if len(tokens) < PAGE:
                return
            after = tokens[-1]

    async def _opened(self, tenant: str, place: PseudonymPlace) -> Mapping[str, str]:
        """Return the map of a text; empty when its key is gone."""
        if place.memory_id is not None:
            stream = self._log.read_stream(memory_stream(tenant, place.memory_id))
            memory = memory_of([envelope async for envelope in stream])
            return memory.details.pseudonyms if memory else {}
        batch = await self._reader.read_batch(place.position - 1, 1, [PseudonymsSealed.TYPE], tenant)
        for envelope in batch.events:
            event = envelope.event
            if envelope.position == place.position and isinstance(event.originals, tuple):
                return dict(zip(event.tokens, event.originals, strict=True))
        return {}


class LivePii:
    """What an API process needs to scrub and to turn pseudonyms back; make it once."""

    def __init__(
        self,
        runtime: Runtime,
        reading: Reading,
        barrier: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime],
        book: Callable[[str], PolicyBook],
    ) -> None:
        reference = runtime.keyring.subject_reference
        self.scrubbing = PiiScrubbing(LibraryPhonePlans(), KeyringPseudonymKeys(runtime.keyring, clock))
        self.scrubs = Scrubs(self.scrubbing, reference)
        self.originals = SealedOriginals(runtime, reading, barrier, clock, book)
        self.handlers = bind(HANDLERS, PiiPorts(self.scrubbing, reference, self.originals))
