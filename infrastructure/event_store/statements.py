"""The SQL of the committer: one round trip a batch that was foreseen, else two: to lock and look, to write.

A foreseen batch divides by zero or violates a key where something is not as it was expected. What it finds
is compared after the head is its own: a condition in the UPDATE would look at the head as it was before the
batch ahead committed, and fail without waiting for it.
"""

from __future__ import annotations

from psycopg import pq

from infrastructure.event_store import arrays
from infrastructure.event_store.batch import Batch, Known, claim_key, row_parameters
from infrastructure.event_store.prepared import PreparedCommand
from infrastructure.event_store.wire import Statement

LOG_CHANNEL = "aios_log"
CONTROL_CHANNEL = "aios_control"

STATEMENTS: dict[bytes, bytes] = {
    b"begin": b"BEGIN",
    b"lock": b"SELECT position, chain, key_epoch FROM log_head WHERE id = 1 FOR UPDATE",
    b"commands": b"SELECT command_key, first_position, last_position FROM commands"
    b" WHERE command_key = ANY($1::text[])",
    b"streams": b"SELECT stream_id, version FROM streams WHERE stream_id = ANY($1::text[])",
    b"claims": b"SELECT claim_key, holder FROM claims WHERE claim_key = ANY($1::text[])",
    b"partition": b"SELECT ensure_event_partition($1::bigint)",
    b"insert": b"""
WITH stored AS (INSERT INTO commands (command_key, tenant, first_position, last_position)
                SELECT * FROM unnest($15::text[], $16::text[], $17::bigint[], $18::bigint[]))
INSERT INTO events (position, tenant, stream_id, version, type, schema_version, recorded_at, command_id,
                    correlation, actor, data, key_ids, leaf_hash, chain_hash)
SELECT $1::bigint + n - 1, te, s, v, ty, sv, $2::timestamptz, ci, co, a, d, string_to_array(k, ','), l, ch
FROM unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::text[], $9::text[],
            $10::text[], $11::bytea[], $12::text[], $13::bytea[], $14::bytea[])
     WITH ORDINALITY AS new (te, s, v, ty, sv, ci, co, a, d, k, l, ch, n)""",
    b"only": b"""
WITH stored AS (INSERT INTO commands (command_key, tenant, first_position, last_position)
                VALUES ($15::text, $3::text, $1::bigint, $1::bigint)),
     moved AS (UPDATE streams SET version = $5::bigint
               WHERE stream_id = $4::text AND version = $16::bigint RETURNING 1)
INSERT INTO events (position, tenant, stream_id, version, type, schema_version, recorded_at, command_id,
                    correlation, actor, data, key_ids, leaf_hash, chain_hash)
SELECT $1::bigint, $3::text, $4::text, $5::bigint, $6::text, $7::bigint, $2::timestamptz, $8::text, $9::text,
       $10::text, $11::bytea, string_to_array($12::text, ','), $13::bytea, $14::bytea
FROM (SELECT 1 / count(*) AS stream FROM moved) AS sure WHERE sure.stream = 1""",
    b"set_streams": b"INSERT INTO streams AS s (stream_id, tenant, version)"
    b" SELECT i, split_part(i, '/', 1), v FROM unnest($1::text[], $2::bigint[]) AS new (i, v)"
    b" ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version",
    b"set_claims": b"INSERT INTO claims (claim_key, tenant, holder)"
    b" SELECT * FROM unnest($1::text[], $2::text[], $3::text[])"
    b" ON CONFLICT (claim_key) DO UPDATE SET holder = excluded.holder",
    b"drop_claims": b"DELETE FROM claims WHERE claim_key = ANY($1::text[])",
    b"head": b"WITH head AS (UPDATE log_head SET position = $1::bigint, chain = $2::bytea WHERE id = 1)"
    b" SELECT pg_notify('aios_log', $3::text)",
    b"advance": b"WITH head AS (UPDATE log_head SET position = $1::bigint, chain = $2::bytea WHERE id = 1"
    b" RETURNING old.position AS found, key_epoch)"
    b" SELECT 1 / count(*), pg_notify('aios_log', $3::text) FROM head"
    b" WHERE found = $4::bigint AND key_epoch = $5::bigint",
    b"new_streams": b"INSERT INTO streams (stream_id, tenant, version)"
    b" SELECT i, split_part(i, '/', 1), v FROM unnest($1::text[], $2::bigint[]) AS new (i, v)",
    b"move_streams": b"WITH moved AS (UPDATE streams s SET version = n.v"
    b" FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS n (i, v, e)"
    b" WHERE s.stream_id = n.i AND s.version = n.e RETURNING 1)"
    b" SELECT 1 / (count(*) = $4::bigint)::int FROM moved",
    b"control": b"SELECT pg_notify('aios_control', $1::text)",
    b"commit": b"COMMIT",
    b"rollback": b"ROLLBACK",
}


def lookups(commands: list[PreparedCommand]) -> list[Statement]:
    """Return the first round trip: lock the head, then see what the batch touches."""
    streams = {event.stream_id: event.stream for command in commands for event in command.events}
    claims = [
        claim_key(command.request.tenant, claim.scope, claim.name)
        for command in commands
        for claim in command.request.claims
    ]
    statements: list[Statement] = [
        (b"begin", None),
        (b"lock", None),
        (b"commands", [arrays.texts([command.key for command in commands])]),
        (b"streams", [arrays.joined(arrays.TEXT, list(streams.values()))]),
    ]
    if claims:
        statements.append((b"claims", [arrays.texts(claims)]))
    return statements


def known_from(results: list[pq.abc.PGresult]) -> Known:
    """Read the answers of `lookups`."""
    _, lock, commands, streams, *claims = results
    return Known(
        position=_integer(lock, 0, 0),
        chain=_bytes(lock, 0, 1),
        key_epoch=_integer(lock, 0, 2),
        commands={
            _text(commands, i, 0): (_integer(commands, i, 1), _integer(commands, i, 2))
            for i in range(commands.ntuples)
        },
        versions={_text(streams, i, 0): _integer(streams, i, 1) for i in range(streams.ntuples)},
        claims={_text(found, i, 0): _text(found, i, 1) for found in claims for i in range(found.ntuples)},
    )


def writes(batch: Batch, recorded_at_us: int, inline: list[Statement], *, control: bool) -> list[Statement]:
    """Return what writes a batch: every row of it, one NOTIFY (two with control events), COMMIT.

    A foreseen batch is one pipeline, which is a transaction by itself.
    """
    position = str(batch.position).encode()
    head = [arrays.bigint(batch.position), batch.chain, position]
    statements: list[Statement] = []
    if batch.foreseen:
        statements.append((b"advance", [*head, arrays.bigint(batch.before), arrays.bigint(batch.key_epoch)]))
    if batch.foreseen and len(batch.rows) == 1 and batch.versions_before[next(iter(batch.new_versions))]:
        statements.append((b"only", _only(batch, recorded_at_us)))
    else:
        rows = row_parameters(batch.rows, batch.position, recorded_at_us)
        statements.append((b"insert", [*rows, *_commands(batch)]))
        if batch.foreseen:
            statements += _moves(batch)
        elif batch.new_versions:
            statements.append((b"set_streams", _versions(batch.new_versions)))
    statements += [*_claims(batch), *inline]
    if not batch.foreseen:
        statements.append((b"head", head))
    if control:
        statements.append((b"control", [position]))
    if not batch.foreseen:
        statements.append((b"commit", None))
    return statements


def _only(batch: Batch, recorded_at_us: int) -> list[bytes]:
    """Return the parameters that store the one event of a batch, with its command and its stream."""
    (row,) = batch.rows
    (key,), (stream,) = batch.new_commands, batch.new_versions
    plain = [element[4:] for element in row]  # without the length that an array puts before it
    ends = (arrays.bigint(batch.position), arrays.timestamp(recorded_at_us))
    return [*ends, *plain, key.encode(), arrays.bigint(batch.versions_before[stream])]


def _moves(batch: Batch) -> list[Statement]:
    """Return the statements that move the streams on, each from exactly the version that was expected."""
    first = {stream: v for stream, v in batch.new_versions.items() if not batch.versions_before[stream]}
    later = {stream: v for stream, v in batch.new_versions.items() if batch.versions_before[stream]}
    statements: list[Statement] = []
    if first:
        statements.append((b"new_streams", _versions(first)))
    if later:
        before = arrays.bigints(batch.versions_before[stream] for stream in later)
        statements.append((b"move_streams", [*_versions(later), before, arrays.bigint(len(later))]))
    return statements


def _versions(streams: dict[str, int]) -> list[bytes]:
    return [arrays.texts(streams), arrays.bigints(streams.values())]


def _commands(batch: Batch) -> list[bytes]:
    tenants, firsts, lasts = zip(*batch.new_commands.values(), strict=True)
    keys = [arrays.texts(batch.new_commands), arrays.joined(arrays.TEXT, tenants)]
    return [*keys, arrays.bigints(firsts), arrays.bigints(lasts)]


def _claims(batch: Batch) -> list[Statement]:
    statements: list[Statement] = []
    if batch.released:
        statements.append((b"drop_claims", [arrays.texts(batch.released)]))
    if batch.new_claims:
        tenants, holders = zip(*batch.new_claims.values(), strict=True)
        columns = (batch.new_claims, tenants, holders)
        statements.append((b"set_claims", [arrays.texts(column) for column in columns]))
    return statements


def _bytes(result: pq.abc.PGresult, row: int, column: int) -> bytes:
    return result.get_value(row, column) or b""


def _text(result: pq.abc.PGresult, row: int, column: int) -> str:
    return _bytes(result, row, column).decode()


def _integer(result: pq.abc.PGresult, row: int, column: int) -> int:
    return int.from_bytes(_bytes(result, row, column), "big")
