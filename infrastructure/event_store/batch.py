"""Decides one batch: which commands are stored, at which positions, with which hashes. Pure but for sealing.

The committer has locked the head and read what the batch touches; here every command is judged in the order
of arrival, so a bad one is rejected alone and its neighbours never notice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from application.ports import Appended, AppendRequest
from domain.audit.chain import extend, leaf_hash
from domain.kernel.errors import AiosError, NameTaken, VersionConflict
from infrastructure.event_store import arrays
from infrastructure.event_store.codec import Encoded, SealingKey, seal


@dataclass(slots=True)
class Known:
    """What the database said about a batch: the head, the commands, streams and claims it names."""

    position: int
    chain: bytes
    commands: dict[str, tuple[int, int]]
    versions: dict[str, int]
    claims: dict[str, str]


@dataclass(slots=True)
class Columns:
    """The new rows of the log, column by column."""

    positions: list[int] = field(default_factory=list)
    tenants: list[bytes] = field(default_factory=list)
    stream_ids: list[bytes] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    types: list[bytes] = field(default_factory=list)
    schema_versions: list[int] = field(default_factory=list)
    command_ids: list[bytes] = field(default_factory=list)
    correlations: list[bytes] = field(default_factory=list)
    actors: list[bytes] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    key_ids: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    chains: list[bytes] = field(default_factory=list)

    def parameters(self, recorded_at_us: int) -> list[bytes]:
        """Return the columns in PostgreSQL's binary format, in the order of the INSERT statement."""
        return [
            arrays.bigints(self.positions),
            arrays.texts(self.tenants),
            arrays.texts(self.stream_ids),
            arrays.bigints(self.versions),
            arrays.texts(self.types),
            arrays.bigints(self.schema_versions),
            arrays.timestamps([recorded_at_us] * len(self.positions)),
            arrays.texts(self.command_ids),
            arrays.texts(self.correlations),
            arrays.texts(self.actors),
            arrays.blobs(self.data),
            arrays.texts(self.key_ids),
            arrays.blobs(self.leaves),
            arrays.blobs(self.chains),
        ]


class Batch:
    """The outcome of a batch so far; `results` holds an Appended or the error of each command."""

    def __init__(self, known: Known, recorded_at_us: int, key_of: SealingKey) -> None:
        self.position = known.position
        self.chain = known.chain
        self.rows = Columns()
        self.results: list[Appended | AiosError] = []
        self.new_commands: dict[str, tuple[str, int, int]] = {}
        self.new_versions: dict[str, int] = {}
        self.new_claims: dict[str, tuple[str, str]] = {}
        self.released: set[str] = set()
        self._known = known
        self._at_us = recorded_at_us
        self._key_of = key_of

    def judge(self, request: AppendRequest, encoded: tuple[Encoded, ...]) -> None:
        """Accept or reject one command; only an accepted one leaves a trace."""
        key = command_key(request)
        seen = self._known.commands.get(key)
        if seen is not None:
            self.results.append(Appended(*seen, duplicate=True))
            return
        try:
            versions = self._versions_after(request)
            claims = self._claims_after(request)
        except AiosError as error:
            self.results.append(error)
            return
        first = self.position + 1
        self._add_rows(request, encoded)
        self._known.versions.update(versions)
        self.new_versions.update(versions)
        for name, holder in claims.items():
            self._claim(request.tenant, name, holder)
        self._known.commands[key] = (first, self.position)
        self.new_commands[key] = (request.tenant, first, self.position)
        self.results.append(Appended(first, self.position))

    def _versions_after(self, request: AppendRequest) -> dict[str, int]:
        after: dict[str, int] = {}
        known = self._known.versions
        for new in request.events:
            version = after.get(new.stream_id)
            if version is None:
                version = known.get(new.stream_id, 0)
            if new.expected_version is not None and new.expected_version != version:
                raise VersionConflict(new.stream_id, new.expected_version, version)
            after[new.stream_id] = version + 1
        return after

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

    def _add_rows(self, request: AppendRequest, encoded: tuple[Encoded, ...]) -> None:
        tenant = request.tenant.encode()
        command, correlation = request.command_id.encode(), request.correlation.encode()
        actor = request.actor.encode()
        versions: dict[str, int] = {}
        rows = self.rows
        for new, body in zip(request.events, encoded, strict=True):
            version = versions.get(new.stream_id, self._known.versions.get(new.stream_id, 0)) + 1
            versions[new.stream_id] = version
            self.position += 1
            data, key_ids = seal(body, new.stream_id, version, self._key_of)
            stream, type_name = new.stream_id.encode(), body.type.encode()
            keys = [key_id.encode() for key_id in key_ids]
            leaf = leaf_hash(
                self.position, tenant, stream, version, type_name, body.schema_version, self._at_us,
                command, correlation, actor, keys, data,
            )  # fmt: skip
            self.chain = extend(self.chain, leaf)
            rows.positions.append(self.position)
            rows.tenants.append(tenant)
            rows.stream_ids.append(stream)
            rows.versions.append(version)
            rows.types.append(type_name)
            rows.schema_versions.append(body.schema_version)
            rows.command_ids.append(command)
            rows.correlations.append(correlation)
            rows.actors.append(actor)
            rows.data.append(data)
            rows.key_ids.append(b",".join(keys))
            rows.leaves.append(leaf)
            rows.chains.append(self.chain)


def command_key(request: AppendRequest) -> str:
    """Return the primary key of a command: its id within its tenant."""
    return f"{request.tenant}/{request.command_id}"


def claim_key(tenant: str, scope: str, name: str) -> str:
    """Return the primary key of a unique name; scopes hold no slash."""
    return f"{tenant}/{scope}/{name}"
