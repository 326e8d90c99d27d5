"""The SQL of the lease table; accounts come as five arrays: tenant, kind, id, month, unit."""

from __future__ import annotations

from typing import Final, LiteralString

_ACCOUNTS: Final[LiteralString] = (
    "unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])"
    " WITH ORDINALITY AS a (tenant, kind, id, month, unit, n)"
)
_SAME: Final[LiteralString] = (
    "(l.tenant, l.kind, l.id, l.month, l.unit) = (a.tenant, a.kind, a.id, a.month, a.unit)"
)

ALIVE: Final[LiteralString] = "SELECT FROM quota_nodes WHERE node_id = %s AND expires_at > clock_timestamp()"
LOCK: Final[LiteralString] = """
SELECT s.kind, s.id, s.token_limit, s.cost_limit, s.hard, s.recall,
       s.recalled_at > clock_timestamp() - make_interval(secs => %s) AS tight
FROM quota_scopes s
WHERE (s.tenant, s.kind, s.id) IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]))
ORDER BY s.tenant, s.kind, s.id FOR UPDATE OF s"""
RECALL: Final[LiteralString] = """
WITH asked AS (
    UPDATE quota_scopes s SET recall = s.recall + 1, recalled_at = clock_timestamp()
    WHERE (s.tenant, s.kind, s.id) IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])) RETURNING 1)
SELECT pg_notify('aios_quota', '') FROM asked LIMIT 1"""
BOOKS: Final[LiteralString] = f"""
WITH me AS (SELECT %s::text AS id, %s::float8 AS grace),
living AS (SELECT n.node_id, n.expires_at + make_interval(secs => me.grace) > clock_timestamp() AS counts
           FROM quota_nodes n, me)
SELECT a.tenant, a.kind, a.id, a.month, a.unit,
    coalesce(min(CASE a.unit WHEN 'tokens' THEN u.tokens ELSE u.cost_micros END), 0) AS used,
    coalesce(sum(CASE WHEN l.node_id = me.id OR v.counts THEN l.amount
                      ELSE least(l.amount, l.held) END), 0) AS leased,
    min(l.answered) FILTER (WHERE l.node_id <> me.id AND v.counts AND l.amount > 0) AS answered,
    (SELECT count(*) FROM living WHERE counts) AS processes
FROM me CROSS JOIN {_ACCOUNTS}
LEFT JOIN quota_used u ON (u.tenant, u.kind, u.id, u.month) = (a.tenant, a.kind, a.id, a.month)
LEFT JOIN quota_leases l ON {_SAME}
LEFT JOIN living v ON v.node_id = l.node_id
GROUP BY 1, 2, 3, 4, 5"""
TAKE_BACK: Final[LiteralString] = """
UPDATE quota_leases l SET amount = greatest(0, l.amount - a.returned)
FROM (SELECT d.*, %s::text AS node FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::bigint[]) AS d (tenant, kind, id, month, unit, returned)) a
WHERE (l.tenant, l.kind, l.id, l.month, l.unit, l.node_id)
    = (a.tenant, a.kind, a.id, a.month, a.unit, a.node)"""
ADD: Final[LiteralString] = """
INSERT INTO quota_leases AS l (tenant, kind, id, month, unit, node_id, amount, held, answered)
SELECT a.tenant, a.kind, a.id, a.month, a.unit, a.node, a.added, a.held,
       CASE WHEN a.extra THEN 0 ELSE coalesce(s.recall, 0) END
FROM (SELECT d.*, %s::text AS node FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::bigint[], %s::bigint[], %s::boolean[]) AS d (tenant, kind, id, month, unit, added, held, extra)) a
LEFT JOIN quota_scopes s ON (s.tenant, s.kind, s.id) = (a.tenant, a.kind, a.id)
ON CONFLICT (tenant, kind, id, month, unit, node_id) DO UPDATE SET
    amount = l.amount + excluded.amount, held = l.held + excluded.held,
    answered = CASE excluded.answered WHEN 0 THEN 0 ELSE greatest(l.answered, excluded.answered) END"""
USED: Final[LiteralString] = f"""
SELECT a.tenant, a.kind, a.id, a.month, a.unit,
       coalesce(CASE a.unit WHEN 'tokens' THEN u.tokens ELSE u.cost_micros END, 0)
FROM {_ACCOUNTS}
LEFT JOIN quota_used u ON (u.tenant, u.kind, u.id, u.month) = (a.tenant, a.kind, a.id, a.month)"""
REPORT: Final[LiteralString] = """
UPDATE quota_nodes SET expires_at = clock_timestamp() + make_interval(secs => %s)
WHERE node_id = %s AND expires_at > clock_timestamp()"""
JOIN: Final[LiteralString] = """
INSERT INTO quota_nodes (node_id, expires_at) VALUES (%s, clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (node_id) DO UPDATE SET expires_at = excluded.expires_at"""
SET_SLICES: Final[LiteralString] = """
INSERT INTO quota_leases (tenant, kind, id, month, unit, node_id, amount, held)
SELECT a.tenant, a.kind, a.id, a.month, a.unit, a.node, a.held, a.held
FROM (SELECT d.*, %s::text AS node FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::bigint[]) AS d (tenant, kind, id, month, unit, held)) a"""
HELD: Final[LiteralString] = """
UPDATE quota_leases l SET held = a.held
FROM (SELECT d.*, %s::text AS node FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::bigint[]) AS d (tenant, kind, id, month, unit, held)) a
WHERE (l.tenant, l.kind, l.id, l.month, l.unit, l.node_id)
    = (a.tenant, a.kind, a.id, a.month, a.unit, a.node)"""
GIVE_BACK: Final[LiteralString] = """
UPDATE quota_leases l SET amount = greatest(0, l.amount - a.idle), held = a.held,
       answered = greatest(l.answered, a.recall)
FROM (SELECT d.*, %s::text AS node, coalesce(s.recall, 0) AS recall
      FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
           AS d (tenant, kind, id, month, unit, idle, held)
      LEFT JOIN quota_scopes s ON (s.tenant, s.kind, s.id) = (d.tenant, d.kind, d.id)) a
WHERE (l.tenant, l.kind, l.id, l.month, l.unit, l.node_id)
    = (a.tenant, a.kind, a.id, a.month, a.unit, a.node)"""
RECALLED: Final[LiteralString] = """
SELECT l.tenant, l.kind, l.id, l.month, l.unit
FROM quota_leases l JOIN quota_scopes s ON (s.tenant, s.kind, s.id) = (l.tenant, l.kind, l.id)
WHERE l.node_id = %s AND s.recall > l.answered"""
DROP: Final[LiteralString] = f"""
DELETE FROM quota_leases l USING (SELECT %s::text AS node) m, {_ACCOUNTS}
WHERE l.node_id = m.node AND {_SAME}"""
ADD_HOLDS: Final[LiteralString] = """
INSERT INTO quota_holds (tenant, request_id, node_id, record)
SELECT a.tenant, a.request_id, %s::text, a.record
FROM unnest(%s::text[], %s::text[], %s::bytea[]) AS a (tenant, request_id, record)
ON CONFLICT DO NOTHING"""
DROP_HOLDS: Final[LiteralString] = (
    "DELETE FROM quota_holds WHERE (tenant, request_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
)
DEAD: Final[LiteralString] = (
    "SELECT node_id FROM quota_nodes WHERE expires_at < clock_timestamp() - make_interval(secs => %s)"
)
HOLDS: Final[LiteralString] = "SELECT tenant, request_id, record FROM quota_holds WHERE node_id = %s"
FORGET_HOLDS: Final[LiteralString] = "DELETE FROM quota_holds WHERE node_id = %s"
FORGET_SLICES: Final[LiteralString] = "DELETE FROM quota_leases WHERE node_id = %s"
FORGET_NODE: Final[LiteralString] = "DELETE FROM quota_nodes WHERE node_id = %s"
