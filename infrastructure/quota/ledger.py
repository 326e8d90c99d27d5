"""The lease table in PostgreSQL: grants slices of what is free, under row locks taken in sorted order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from psycopg import AsyncConnection, Error, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.kernel.errors import Unavailable
from domain.usage.quota import Account
from domain.usage.quota_slices import Allocation, Book, Needs, allocate
from infrastructure.quota import ledger_sql as sql

LIFE_S = 15.0
RECLAIM_AFTER_S = 20.0
REAP_AFTER_S = 55.0
"""A process reports every second. Unheard of for LIFE_S it must begin anew, for RECLAIM_AFTER_S its idle
slices are free for others, for REAP_AFTER_S what it had under way is settled."""

TIGHT_S = 2.0


class Lapsed(Exception):
    """This process was silent for too long: its idle slices may have been given to others."""


class Granted(msgspec.Struct, frozen=True):
    """What a grant came to: `added` is how much each of this process's slices grew.

    `recalls` numbers the last time that idle slices of an account were asked back; `answered` is the oldest
    such number that another living process with a slice has answered, None when no other has one.
    """

    allocation: Allocation
    books: dict[Account, Book]
    added: dict[Account, int]
    recalls: dict[Account, int]
    answered: dict[Account, int | None]


class Ledger:
    """Slices, reports and requests under way, of one process called `node_id` and of those that died."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], node_id: str) -> None:
        self._pool = pool
        self.node_id = node_id

    async def grant(self, asks: Sequence[Needs], returned: Mapping[Account, int], *, recall: bool) -> Granted:
        """Give back `returned`, then grant what fits; all asks are of one tenant.

        With `recall`, other processes are asked for their idle slices when something does not fit. Raises
        Lapsed, or Unavailable.
        """
        accounts = sorted({*returned, *(account for ask in asks for account in ask)})
        async with self._connection() as conn:
            scopes, rows = await self._locked(conn, accounts)
            books = {a: _book(a, scopes, rows) for a in accounts}
            for account, amount in returned.items():
                book = books[account]
                books[account] = Book(book.limit, book.used, book.leased - amount)
            tight = any(scope[-1] for scope in scopes.values())
            processes = max((row["processes"] for row in rows.values()), default=1)
            found = allocate(books, asks, processes=processes, tight=tight)
            added = {a: found.needed.get(a, 0) + found.extra.get(a, 0) for a in accounts}
            others = {a: rows[a]["answered"] for a in accounts}
            asked = recall and not all(found.fits) and any(n is not None for n in others.values())
            async with conn.pipeline():
                await conn.execute(sql.TAKE_BACK, self._columns(accounts, returned))
                await conn.execute(sql.ADD, self._additions(accounts, added, found))
                if asked:
                    await conn.execute(sql.RECALL, _scope_columns(accounts))
                await conn.commit()
        recalls = {a: (scopes[a.kind, a.id][3] if (a.kind, a.id) in scopes else 0) + asked for a in accounts}
        return Granted(found, books, added, recalls, others)

    async def used(self, accounts: Iterable[Account]) -> dict[Account, int]:
        """Return what is used of each account."""
        listed = list(accounts)
        async with self._connection() as conn:
            async with conn.pipeline():
                cursor = await conn.execute(sql.USED, _account_columns(listed))
            return {_account(row): int(row[5]) for row in await cursor.fetchall()}

    async def report(self) -> list[Account] | None:
        """Say that this process lives, and return what `recalled` does.

        None when it was silent for too long (or is new).
        """
        async with self._connection() as conn:
            async with conn.pipeline():
                alive = await conn.execute(sql.REPORT, [LIFE_S, self.node_id])
                recalled = await conn.execute(sql.RECALLED, [self.node_id])
            found = [_account(row) for row in await recalled.fetchall()]
            return found if alive.rowcount > 0 else None

    async def rejoin(self, held: Mapping[Account, int]) -> None:
        """Begin anew with slices that hold just what is under way."""
        accounts = list(held)
        async with self._connection() as conn:
            await conn.execute(sql.FORGET_SLICES, [self.node_id])
            await conn.execute(
                sql.SET_SLICES, [self.node_id, *_account_columns(accounts), list(held.values())]
            )
            await conn.execute(sql.JOIN, [self.node_id, LIFE_S])

    async def tell_held(
        self,
        held: Mapping[Account, int],
        holds: Sequence[tuple[str, str, bytes]],
        gone: Sequence[tuple[str, str]],
    ) -> None:
        """Write down what slices hold, the records of requests under way, and which of those have ended."""
        columns = [self.node_id, *_account_columns(list(held)), list(held.values())]
        async with self._connection() as conn, conn.pipeline():
            if held:
                await conn.execute(sql.HELD, columns)
            if holds:
                tenants, ids, records = map(list, zip(*holds, strict=True))
                await conn.execute(sql.ADD_HOLDS, [self.node_id, tenants, ids, records])
            if gone:
                await conn.execute(sql.DROP_HOLDS, list(map(list, zip(*gone, strict=True))))

    async def give_back(self, idle: Mapping[Account, int], held: Mapping[Account, int]) -> None:
        """Return idle parts of slices, and say what they hold."""
        accounts = list(idle)
        values = [[idle[a] for a in accounts], [held.get(a, 0) for a in accounts]]
        async with self._connection() as conn:
            await conn.execute(sql.GIVE_BACK, [self.node_id, *_account_columns(accounts), *values])

    async def drop(self, accounts: Sequence[Account]) -> None:
        """Delete slices with nothing under way, whatever their rows say."""
        async with self._connection() as conn:
            await conn.execute(sql.DROP, [self.node_id, *_account_columns(accounts)])

    async def recalled(self) -> list[Account]:
        """Return this process's accounts of which others have asked idle slices back."""
        async with self._connection() as conn:
            cursor = await conn.execute(sql.RECALLED, [self.node_id])
            return [_account(row) for row in await cursor.fetchall()]

    async def leave(self) -> None:
        """Give everything back, at the end of the process."""
        async with self._connection() as conn:
            await conn.execute(sql.FORGET_SLICES, [self.node_id])
            await conn.execute(sql.FORGET_NODE, [self.node_id])

    async def dead(self) -> list[str]:
        """Return processes that were silent for so long that what they had under way is to be settled."""
        async with self._connection() as conn:
            cursor = await conn.execute(sql.DEAD, [REAP_AFTER_S - LIFE_S])
            return [row[0] for row in await cursor.fetchall()]

    async def holds_of(self, node_id: str) -> list[tuple[str, str, bytes]]:
        """Return the records of requests that a dead process had under way: tenant, request id, record."""
        async with self._connection() as conn:
            cursor = await conn.execute(sql.HOLDS, [node_id])
            return [
                (tenant, request_id, bytes(record)) for tenant, request_id, record in await cursor.fetchall()
            ]

    async def bury(self, node_id: str) -> None:
        """Release what a dead process had, once its requests are settled."""
        async with self._connection() as conn:
            for statement in (sql.FORGET_HOLDS, sql.FORGET_SLICES, sql.FORGET_NODE):
                await conn.execute(statement, [node_id])

    async def _locked(
        self, conn: AsyncConnection, accounts: Sequence[Account]
    ) -> tuple[dict[tuple[str, str], Any], dict[Account, dict[str, Any]]]:
        """Lock the scopes, then read them, what is used and all slices as one moment."""
        columns = _account_columns(accounts)
        async with conn.pipeline():
            alive = await conn.execute(sql.ALIVE, [self.node_id])
            locked = await conn.execute(sql.LOCK, [TIGHT_S, *_scope_columns(accounts)])
            books = await conn.execute(sql.BOOKS, [self.node_id, RECLAIM_AFTER_S - LIFE_S, *columns])
        if await alive.fetchone() is None:
            raise Lapsed
        scopes = {(row[0], row[1]): row[2:] for row in await locked.fetchall()}
        names = ("used", "leased", "answered", "processes")
        rows = {_account(row): dict(zip(names, row[5:], strict=True)) for row in await books.fetchall()}
        return scopes, rows

    def _columns(self, accounts: Sequence[Account], amounts: Mapping[Account, int]) -> list[Any]:
        return [self.node_id, *_account_columns(accounts), [amounts.get(a, 0) for a in accounts]]

    def _additions(
        self, accounts: Sequence[Account], added: Mapping[Account, int], found: Allocation
    ) -> list[Any]:
        return [
            *self._columns(accounts, added),
            [found.needed.get(a, 0) for a in accounts],
            [a in found.extra for a in accounts],
        ]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._pool.connection() as conn:
                yield conn
        except (OperationalError, PoolTimeout) as error:
            detail = f"quotas cannot be checked, for their database does not answer: {type(error).__name__}"
            raise Unavailable("database", detail, 1.0) from error
        except Error as error:
            raise Unavailable("database", f"quotas cannot be checked: {type(error).__name__}", 1.0) from error


def _book(account: Account, scopes: Mapping[tuple[str, str], Any], rows: Mapping[Account, Any]) -> Book:
    token_limit, cost_limit, hard, *_ = scopes.get((account.kind, account.id), (None, None, False))
    limit = (token_limit if account.unit == "tokens" else cost_limit) if hard else None
    row = rows[account]
    return Book(limit, int(row["used"]), int(row["leased"]))


def _account(row: Sequence[Any]) -> Account:
    return Account(*row[:5])


def _account_columns(accounts: Sequence[Account]) -> list[list[str]]:
    return [list(column) for column in zip(*accounts, strict=True)] if accounts else [[], [], [], [], []]


def _scope_columns(accounts: Sequence[Account]) -> list[Any]:
    scopes = sorted({(a.tenant, a.kind, a.id) for a in accounts})
    return [list(column) for column in zip(*scopes, strict=True)]
