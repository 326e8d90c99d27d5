"""Reads policies at any version or time, and their history; the only reader of their table."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.orchestration.policy import ActivePolicy, Policy
from domain.orchestration.policy_diff import Change, diff
from projections.orchestration.tables import model_policies


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One step in the history of a policy; `diff` is against the version before."""

    version: int
    set_by: str
    set_at: datetime
    diff: tuple[Change, ...]


async def get_model_policy(
    conn: AsyncConnection, workspace_id: str, *, version: int | None = None, at: datetime | None = None
) -> ActivePolicy | None:
    """Return the newest version, the given one, or the one in force at a time; None when there is none."""
    query = select(model_policies).where(model_policies.c.workspace_id == workspace_id)
    if version is not None:
        query = query.where(model_policies.c.version == version)
    if at is not None:
        query = query.where(model_policies.c.set_at <= at)
    found = await conn.execute(query.order_by(model_policies.c.version.desc()).limit(1))
    row = found.one_or_none()
    return None if row is None else _active(row)


async def model_policy_history(
    conn: AsyncConnection, workspace_id: str, *, limit: int, before: int | None = None
) -> list[PolicyVersion]:
    """Return versions, newest first, those below `before`; empty when the policy was never set."""
    query = select(model_policies).where(model_policies.c.workspace_id == workspace_id)
    if before is not None:
        query = query.where(model_policies.c.version < before)
    found = await conn.execute(query.order_by(model_policies.c.version.desc()).limit(limit + 1))
    versions = [_active(row) for row in found]
    older: list[ActivePolicy | None] = [*versions[1:], None][: len(versions)]
    return [
        PolicyVersion(
            version=each.version,
            set_by=each.set_by,
            set_at=each.set_at,
            diff=diff(previous.policy if previous else None, each.policy),
        )
        for each, previous in zip(versions, older, strict=True)
    ][:limit]


async def list_model_policies(
    conn: AsyncConnection, *, limit: int, after: str | None = None
) -> list[ActivePolicy]:
    """Return the policy in force of each workspace, by workspace, those after the given one."""
    query = (
        select(model_policies)
        .ext(distinct_on(model_policies.c.workspace_id))
        .order_by(model_policies.c.workspace_id, model_policies.c.version.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(model_policies.c.workspace_id > after)
    return [_active(row) for row in await conn.execute(query)]


def _active(row: Row[tuple[object, ...]]) -> ActivePolicy:
    return ActivePolicy(
        workspace_id=row.workspace_id,
        version=row.version,
        set_by=row.set_by,
        set_at=row.set_at,
        policy=msgspec.convert(row.policy, Policy),
    )
