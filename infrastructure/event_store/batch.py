"""Decides one batch: which commands are stored, at which positions, with which hashes.

The committer has locked the head and read what the batch touches; here every command is judged in the order
of arrival, so a bad one is rejected alone and its neighbours never notice.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

from application.ports import Appended, AppendRequest
from domain.audit.chain import counted, extend, leaf_of_prefixed
from domain.kernel.errors import AiosError, NameTaken, VersionConflict
from infrastructure.event_store import arrays
from infrastructure.event_store.codec import SealingKey, seal
from infrastructure.event_store.prepared import PreparedCommand, PreparedEvent, prefixed

_INT8_ELEMENT = struct.Struct(">iq").pack
_HASH_PREFIX = (32).to_bytes(4, "big")


@dataclass(slots=True)
class Known:
    """What the database said about a batch: the head, the commands, streams and claims it names.

    `key_epoch` grows when data keys are retired or destroyed: what is sealed now needs keys read since.
    """

    position: int
    chain: bytes
    key_epoch: int
    commands: dict[str, tuple[int, int]]
    versions: dict[str, int]
    claims: dict[str, str]


Row = tuple[bytes, ...]
_COLUMNS = (
    arrays.TEXT, arrays.TEXT, arrays.INT8, arrays.TEXT, arrays.INT8, arrays.TEXT, arrays.TEXT, arrays.TEXT,
    arrays.BYTEA, arrays.TEXT, arrays.BYTEA, arrays.BYTEA,
)  # fmt: skip


def row_parameters(rows: list[Row], last_position: int, recorded_at_us: int) -> list[bytes]:
    """Return the parameters of the INSERT statement: position and time, then an array a column."""
    return [
        arrays.bigint(last_position - len(rows) + 1),
        arrays.timestamp(recorded_at_us),
        *map(arrays.joined, _COLUMNS, zip(*rows, strict=True) if rows else [()] * len(_COLUMNS)),
    ]


class Batch:
    """The outcome of a batch so far; `results` holds an Appended or the error of each command."""

    def __init__(
        self, known: Known, recorded_at_us: int, key_of: SealingKey, *, foreseen: bool = False
    ) -> None:
        self.foreseen = foreseen
        self.before = known.position
        self.key_epoch = known.key_epoch
        self.versions_before = known.versions.copy() if foreseen else {}
        self.position = known.position
        self.chain = known.chain
        self.rows: list[Row] = []
        self.types: set[bytes] = set()
        self.results: list[Appended | AiosError] = []
        self.accepted: list[AppendRequest] = []
        self.new_commands: dict[str, tuple[bytes, int, int]] = {}
        self.new_versions: dict[str, int] = {}
        self.new_claims: dict[str, tuple[str, str]] = {}
        self.released: set[str] = set()
        self._known = known
        self._at_us = recorded_at_us
        self._key_of = key_of

    def judge(self, command: PreparedCommand) -> None:
        """Accept or reject one command; only an accepted one leaves a trace."""
        seen = self._known.commands.get(command.key)
        if seen is not None:
            self.results.append(Appended(*seen, duplicate=True))
            return
        request = command.request
        try:
            self._check_versions(command)
            claims = self._claims_after(request) if request.claims else {}
        except AiosError as error:
            self.results.append(error)
            return
        first = self.position + 1
        for event in command.events:
            self._add_row(command, event)
        for name, holder in claims.items():
            self._claim(request.tenant, name, holder)
        self._known.commands[command.key] = (first, self.position)
        self.new_commands[command.key] = (command.tenant, first, self.position)
        self.accepted.append(request)
        self.results.append(Appended(first, self.position))

    def _check_versions(self, command: PreparedCommand) -> None:
        """Raise VersionConflict where a stream is not at the version that an event expects."""
        own: dict[str, int] = {}  # what this command's earlier events add to a stream
        known = self._known.versions
        for event in command.events:
            stream_id = event.stream_id
            version = known.get(stream_id, 0) + own.get(stream_id, 0)
            if event.expected_version is not None and event.expected_version != version:
                raise VersionConflict(stream_id, event.expected_version, version)
            own[stream_id] = own.get(stream_id, 0) + 1

    def _claims_after(self, request: AppendRequest) -> dict[str, str | None]:
        after: dict[str, str | None] = {}
        for claim in request.claims:
            key = claim_key(request.tenant, claim.scope, claim.name)
            holder = after.get(key, self._known.claims.get(key))
            if claim.release:
                after[key] = None if holder == claim.holder else holder
            elif holder not in {None, claim.holder}:
                raise NameTaken(claim.scope, claim.name)
            else:
                after[key] = claim.holder
        return after

    def _claim(self, tenant: str, key: str, holder: str | None) -> None:
        if holder is None:
            self._known.claims.pop(key, None)
            self.new_claims.pop(key, None)
            self.released.add(key)
        else:
            self._known.claims[key] = holder
            self.released.discard(key)
            self.new_claims[key] = (tenant, holder)

    def _add_row(self, command: PreparedCommand, event: PreparedEvent) -> None:
        stream_id, encoded = event.stream_id, event.encoded
        versions = self._known.versions
        version = versions[stream_id] = self.new_versions[stream_id] = versions.get(stream_id, 0) + 1
        self.position += 1
        data = event.data
        keys: tuple[str, ...] = ()
        if encoded.personal:
            sealed, keys = seal(encoded, stream_id, version, self._key_of)
            data = prefixed(sealed)
        leaf = leaf_of_prefixed(
            self.position, command.tenant, event.stream, version, event.type, encoded.schema_version,
            self._at_us, command.origin, counted(keys), data,
        )  # fmt: skip
        self.chain = extend(self.chain, leaf)
        self.types.add(event.type)
        self.rows.append((
            command.tenant, event.stream, _INT8_ELEMENT(8, version), event.type,
            _INT8_ELEMENT(8, encoded.schema_version), command.command, command.correlation, command.actor,
            data, _joined(keys), _HASH_PREFIX + leaf, _HASH_PREFIX + self.chain,
        ))  # fmt: skip


@lru_cache(4096)
def _joined(key_ids: tuple[str, ...]) -> bytes:
    return prefixed(",".join(key_ids).encode())


def claim_key(tenant: str, scope: str, name: str) -> str:
    """Return the primary key of a unique name; scopes hold no slash."""
    return f"{tenant}/{scope}/{name}"
