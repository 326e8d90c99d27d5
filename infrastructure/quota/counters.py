"""What counts towards quotas, written in the append transaction: exact, and equal to a replay of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol

from application.ports import AppendRequest
from domain.audit.chain import microseconds
from domain.kernel.request_record import RequestRecorded
from domain.kernel.usage_correction import UsageCorrected
from domain.usage.events import QuotaSet
from domain.usage.quota import Account, scopes_of
from domain.usage.quota_use import is_metered, usage_of
from infrastructure.event_store import arrays
from infrastructure.event_store.wire import Statement

_QUARTER_US = 900_000_000  # no time zone's months begin within a quarter of an hour

STATEMENTS: dict[bytes, bytes] = {
    b"quota_scope": b"""
INSERT INTO quota_scopes (tenant, kind, id, token_limit, cost_limit, hard, time_zone, version)
VALUES ($1::text, $2::text, $3::text, $4::text::bigint, $5::text::bigint, $6::text::boolean, $7::text,
        $8::text::bigint)
ON CONFLICT (tenant, kind, id) DO UPDATE SET
    token_limit = excluded.token_limit, cost_limit = excluded.cost_limit, hard = excluded.hard,
    time_zone = excluded.time_zone, version = excluded.version""",
    b"quota_used": b"""
INSERT INTO quota_used AS u (tenant, kind, id, month, tokens, cost_micros)
SELECT n.tenant, n.kind, n.id,
       to_char(to_timestamp(n.at / 1e6) AT TIME ZONE coalesce(z.time_zone, 'UTC'), 'YYYY-MM') AS month,
       sum(n.tokens), sum(n.cost)
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
     AS n (tenant, kind, id, at, tokens, cost)
LEFT JOIN quota_scopes z ON z.tenant = n.tenant AND z.kind = 'tenant' AND z.id = ''
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
ON CONFLICT (tenant, kind, id, month) DO UPDATE SET
    tokens = u.tokens + excluded.tokens, cost_micros = u.cost_micros + excluded.cost_micros""",
    b"quota_leases": b"""
UPDATE quota_leases l SET amount = greatest(0, l.amount - n.amount)
FROM (SELECT tenant, kind, id, month, unit, node_id, sum(amount)::bigint AS amount
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
           AS d (tenant, kind, id, month, unit, node_id, amount) GROUP BY 1, 2, 3, 4, 5, 6) n
WHERE (l.tenant, l.kind, l.id, l.month, l.unit, l.node_id)
    = (n.tenant, n.kind, n.id, n.month, n.unit, n.node_id)""",
    b"quota_holds": b"""
DELETE FROM quota_holds h USING unnest($1::text[], $2::text[]) AS n (tenant, request_id)
WHERE (h.tenant, h.request_id) = (n.tenant, n.request_id)""",
}

REPLAY = """
WITH metered AS (
    SELECT e.position, e.tenant, convert_from(e.data, 'UTF8')::json AS d FROM events e
    WHERE e.type IN ('usage.request_recorded', 'usage.shadow_recorded')
), parts AS (
    SELECT m.position, m.tenant, m.d, m.d->'usage' AS usage, m.d->>'cost_micros' AS cost, 1 AS sign
    FROM metered m WHERE json_array_length(m.d->'attempts') > 0 AND m.d->>'operation' <> 'count_tokens'
    UNION ALL
    SELECT c.position, c.tenant, c.d, s.part->'usage', s.part->>'cost_micros', s.sign
    FROM (SELECT e.position, e.tenant, convert_from(e.data, 'UTF8')::json AS d FROM events e
          WHERE e.type = 'usage.corrected') c
    CROSS JOIN LATERAL (VALUES (c.d->'after', 1), (c.d->'before', -1)) AS s (part, sign)
), counted AS (
    SELECT m.position, m.tenant, v.kind, v.id,
           to_char((m.d->>'started_at')::timestamptz AT TIME ZONE coalesce(z.zone, 'UTC'),
                   'YYYY-MM') AS month,
           m.sign * (coalesce((m.usage->>'input')::bigint, 0)
                     + coalesce((m.usage->>'output')::bigint, 0)) AS tokens,
           m.sign * coalesce(m.cost::bigint, 0) AS cost
    FROM parts m
    CROSS JOIN LATERAL (VALUES ('tenant', ''), ('workspace', m.d->>'workspace'), ('key', m.d->>'key_id'),
                               ('segment', m.d->>'segment'), ('user', m.d->>'subject')) AS v (kind, id)
    LEFT JOIN LATERAL (
        SELECT convert_from(q.data, 'UTF8')::json->'limits'->>'time_zone' AS zone FROM events q
        WHERE q.type = 'usage.quota_set' AND q.stream_id = m.tenant || '/quota/tenant'
          AND q.position < m.position ORDER BY q.position DESC LIMIT 1) z ON true
    WHERE v.kind = 'tenant' OR coalesce(v.id, '') <> ''
), replayed AS (
    SELECT tenant, kind, id, month, sum(tokens)::bigint AS tokens, sum(cost)::bigint AS cost,
           min(position) AS first FROM counted GROUP BY 1, 2, 3, 4)
SELECT coalesce(r.first, 0), format('quota %s %s:%s %s: counter %s tokens %s micros, log %s tokens %s micros',
       coalesce(r.tenant, u.tenant), coalesce(r.kind, u.kind), coalesce(r.id, u.id),
       coalesce(r.month, u.month), u.tokens, u.cost_micros, r.tokens, r.cost)
FROM replayed r FULL JOIN quota_used u USING (tenant, kind, id, month)
WHERE u.tokens IS DISTINCT FROM r.tokens OR u.cost_micros IS DISTINCT FROM r.cost
ORDER BY 1 LIMIT 20"""


class Reserved(Protocol):
    """A reservation as far as its settling goes: whose slices of which accounts it was made from."""

    @property
    def node_id(self) -> str: ...

    @property
    def accounts(self) -> tuple[Account, ...]: ...

    @property
    def written(self) -> bool: ...


class QuotaCounters:
    """The inline model of quotas; `open` holds the reservations of this process by (tenant, request id)."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, str], Reserved] = {}

    @property
    def statements(self) -> Mapping[bytes, bytes]:
        """Return the statements to prepare."""
        return STATEMENTS

    def writes(self, accepted: Sequence[AppendRequest]) -> list[Statement]:
        """Return what the accepted commands change; usage before a new time zone counts in the old one."""
        statements: list[Statement] = []
        used: _Used = {}
        slices: _Slices = {}
        holds: list[tuple[str, str]] = []
        for request in accepted:
            for new in request.events:
                event = new.event
                if isinstance(event, RequestRecorded):
                    self._count(request.tenant, event, used, slices, holds)
                elif isinstance(event, UsageCorrected):
                    _use(used, request.tenant, event, event.tokens_more, event.micros_more)
                elif isinstance(event, QuotaSet):
                    statements += _used_statement(used)
                    used = {}
                    statements.append((b"quota_scope", _scope_parameters(request.tenant, event)))
        statements += _used_statement(used)
        if slices:
            amounts = arrays.bigints(slices.values())
            statements.append((b"quota_leases", [*_text_columns(tuple(slices)), amounts]))
        if holds:
            statements.append((b"quota_holds", [arrays.texts(column) for column in zip(*holds, strict=True)]))
        return statements

    def _count(
        self,
        tenant: str,
        event: RequestRecorded,
        used: _Used,
        slices: _Slices,
        holds: list[tuple[str, str]],
    ) -> None:
        tokens, cost = usage_of(event)
        if is_metered(event):
            _use(used, tenant, event, tokens, cost)
        reservation = self.open.get((tenant, event.request_id))
        if reservation is None:
            return
        for account in reservation.accounts:
            key = (*account, reservation.node_id)
            amount = tokens if account.unit == "tokens" else cost
            slices[key] = slices.get(key, 0) + amount
        if reservation.written:
            holds.append((tenant, event.request_id))


_Slices = dict[tuple[str, ...], int]
_Used = dict[tuple[str, str, str, int], tuple[int, int]]


def _use(used: _Used, tenant: str, event: RequestRecorded | UsageCorrected, tokens: int, cost: int) -> None:
    at = microseconds(event.started_at) // _QUARTER_US * _QUARTER_US
    for kind, id_ in scopes_of(event.workspace, event.key_id, event.segment, event.subject):
        key = (tenant, kind, id_, at)
        have = used.get(key, (0, 0))
        used[key] = (have[0] + tokens, have[1] + cost)


def _used_statement(used: _Used) -> list[Statement]:
    if not used:
        return []
    scopes = _text_columns(tuple([key[:3] for key in used]))
    tokens, costs = zip(*used.values(), strict=True)
    numbers = [arrays.bigints(column) for column in ([key[3] for key in used], tokens, costs)]
    return [(b"quota_used", [*scopes, *numbers])]


@lru_cache(512)
def _text_columns(rows: tuple[tuple[str, ...], ...]) -> tuple[bytes, ...]:
    """Return the columns of rows as text[]; the same few scopes are written with nearly every batch."""
    return tuple([arrays.texts(column) for column in zip(*rows, strict=True)])


def _scope_parameters(tenant: str, event: QuotaSet) -> list[bytes | None]:
    limits = event.limits
    texts = (
        tenant,
        event.scope,
        event.scope_id,
        _number(limits.monthly_token_limit),
        _number(limits.monthly_cost_limit_micros),
        "true" if limits.hard_cap_enabled else "false",
        limits.time_zone,
        str(event.version),
    )
    return [None if text is None else text.encode() for text in texts]


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)
