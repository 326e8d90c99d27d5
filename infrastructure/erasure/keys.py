"""The data keys that seal what a selection reaches."""

from __future__ import annotations

from collections.abc import Sequence

from application.processes.erasure.ports import KeyScope
from domain.memory.selection import Selection
from infrastructure.erasure.conditions import month_of
from infrastructure.keyring.keyring import Keyring
from infrastructure.keyring.shredder import Destruction, Shredder

# Credentials of providers and the like have subjects of other forms, and are no person's data.
PERSONS = r"(subject LIKE 's\_%%' OR subject LIKE 'record:%%')"
_WHOLE = f"""
SELECT kid FROM data_keys
WHERE tenant = %(tenant)s AND {PERSONS} AND (%(subject)s::text IS NULL OR subject = %(subject)s)
  AND (%(category)s::text IS NULL OR category = %(category)s)
  AND (%(month)s::text IS NULL OR left(bucket, 7) < %(month)s)
"""
_SHARED = f"""
SELECT kid FROM data_keys JOIN unnest(%s::text[], %s::text[], %s::text[]) AS w (subject, category, month)
USING (subject, category) WHERE tenant = %s AND {PERSONS} AND left(bucket, 7) = w.month
"""
_OF_MONTH = f"""
SELECT kid FROM data_keys
WHERE tenant = %s AND {PERSONS} AND (%s::text IS NULL OR subject = %s) AND category = %s
  AND left(bucket, 7) = %s
"""
_SCOPES = "SELECT DISTINCT subject, category, left(bucket, 7) FROM data_keys WHERE kid = ANY(%s)"


class PersonKeys:
    """Implements ErasureKeys on the keyring."""

    def __init__(self, keyring: Keyring, shredder: Shredder) -> None:
        self._keyring = keyring
        self._shredder = shredder

    async def choose(self, tenant: str, selection: Selection, shared: frozenset[KeyScope]) -> list[str]:
        """Return the keys of a selection: whole months of it, and the shared ones of the month it ends in."""
        columns = [[getattr(s, name) for s in sorted(shared)] for name in KeyScope.__struct_fields__]
        async with self._keyring.connection() as conn:
            rows = await (await conn.execute(_SHARED, [*columns, tenant])).fetchall()
            if selection.expiry is None:
                values = {
                    "tenant": tenant,
                    "subject": selection.subject,
                    "category": selection.category,
                    "month": month_of(selection.before) if selection.before else None,
                }
                rows += await (await conn.execute(_WHOLE, values)).fetchall()
        return sorted({kid for (kid,) in rows})

    async def of_month(self, tenant: str, subject: str | None, category: str, month: str) -> list[str]:
        """Return the living keys of one person, or everybody, in a category and month."""
        values = [tenant, subject, subject, category, month]
        async with self._keyring.connection() as conn:
            rows = await (await conn.execute(_OF_MONTH, values)).fetchall()
        return [kid for (kid,) in rows]

    async def scopes(self, kids: Sequence[str]) -> list[KeyScope]:
        """Return whose data living keys seal."""
        async with self._keyring.connection() as conn:
            rows = await (await conn.execute(_SCOPES, [list(kids)])).fetchall()
        return [KeyScope(*row) for row in rows]

    async def retire(self, tenant: str, erasure: str, kids: Sequence[str]) -> int:
        """Let keys seal nothing more; returns the position of the last event they may have sealed."""
        return await self._shredder.retire(tenant, erasure, kids)

    async def retired(self, tenant: str, erasure: str) -> list[str]:
        """Return the keys retired for an erasure, destroyed or not, sorted."""
        return await self._shredder.retired(tenant, erasure)

    async def destroy(self, tenant: str, kids: Sequence[str], erasure: str) -> Destruction:
        """Destroy keys everywhere, then try to open them."""
        return await self._shredder.destroy(tenant, kids, erasure)
