"""How a limit is shared out without being overspent: escrow slices, reserved from and settled against.

For each account, always: used + the sum of all processes' slices <= limit. A process reserves from its slice
in memory; settling moves what was really used out of the slice and into `used`, in one transaction, so the
sum does not change. What was reserved too much becomes idle again, and idle parts go back when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from domain.usage.quota import Account

SHARES = 8
"""A process takes this part of what is free, divided by the processes there are, beside what it needs now."""

Needs = Mapping[Account, int]


class Slice(msgspec.Struct):
    """One process's part of one account: `granted` by the ledger, of which `held` is reserved."""

    granted: int = 0
    held: int = 0

    @property
    def idle(self) -> int:
        """Return what may still be reserved; never below zero, also after an overrun."""
        return max(0, self.granted - self.held)

    def reserve(self, amount: int) -> bool:
        """Reserve an amount if it fits."""
        if self.granted - self.held < amount:
            return False
        self.held += amount
        return True

    def settle(self, reserved: int, used: int) -> None:
        """End a reservation by what was used (0: released); more than the slice holds is an overrun."""
        self.held -= reserved
        self.granted = max(self.granted - used, 0)

    def give_back(self) -> int:
        """Return the idle part, which is then no longer in the slice."""
        idle = self.idle
        self.granted -= idle
        return idle


class Book(msgspec.Struct, frozen=True):
    """What the ledger says of an account: `leased` is the sum of all slices of all processes.

    `limit` is None for an account that no hard cap limits any more.
    """

    limit: int | None
    used: int
    leased: int

    @property
    def free(self) -> int:
        """Return what may be granted now; negative when a limit was set below what is used."""
        return 10**18 if self.limit is None else self.limit - self.used - self.leased


class DoesNotFit(Exception):
    """A request's needs do not fit, whatever idle slices there were; `books` tell why."""

    def __init__(self, books: Mapping[Account, Book]) -> None:
        super().__init__("the quota does not allow it")
        self.books = books


class Allocation(msgspec.Struct, frozen=True):
    """Which of the requests fit, how much is granted of each account for them, and beyond them."""

    fits: tuple[bool, ...]
    needed: dict[Account, int]
    extra: dict[Account, int]


def allocate(
    books: Mapping[Account, Book], asks: Sequence[Needs], *, processes: int, tight: bool = False
) -> Allocation:
    """Share out what is free, first come first served; each request gets all it needs or nothing.

    Near the limit (`tight`, or when the share of what is left is smaller than the largest need) nothing is
    granted beyond the needs, so that what one process does not use is there for the others.
    """
    free = {account: book.free for account, book in books.items()}
    needed: dict[Account, int] = {}
    largest: dict[Account, int] = {}
    fits = []
    for ask in asks:
        fit = all(free[account] >= amount for account, amount in ask.items())
        fits.append(fit)
        if fit:
            for account, amount in ask.items():
                free[account] -= amount
                needed[account] = needed.get(account, 0) + amount
                largest[account] = max(largest.get(account, 0), amount)
    extra: dict[Account, int] = {}
    if not tight and all(fits):
        for account, most in largest.items():
            share = free[account] // (SHARES * max(1, processes)) if books[account].limit is not None else 0
            if share >= most:
                extra[account] = share
    return Allocation(tuple(fits), needed, extra)
