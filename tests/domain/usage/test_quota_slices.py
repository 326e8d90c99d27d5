"""Whatever happens in whatever order, a limit is never overspent and nothing leaks."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.usage.quota import Account
from domain.usage.quota_slices import Book, Slice, allocate

ACCOUNTS = (
    Account("acme", "tenant", "", "2026-11", "tokens"),
    Account("acme", "tenant", "", "2026-11", "cost"),
    Account("acme", "key", "k1", "2026-11", "tokens"),
)
NODES = st.integers(min_value=0, max_value=2)
AMOUNTS = st.fixed_dictionaries({account: st.integers(min_value=0, max_value=60) for account in ACCOUNTS})


class Sharing(RuleBasedStateMachine):
    """Three processes share three limits; `rows` is the ledger's view of slices, `nodes` their own."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = dict.fromkeys(ACCOUNTS, 1000)
        self.used = dict.fromkeys(ACCOUNTS, 0)
        self.rows = [dict.fromkeys(ACCOUNTS, 0) for _ in range(3)]
        self.nodes = [{account: Slice() for account in ACCOUNTS} for _ in range(3)]
        self.open: list[tuple[int, dict[Account, int]]] = []
        self.dead: dict[int, list[dict[Account, int]]] = {}

    def books(self) -> dict[Account, Book]:
        return {
            account: Book(self.limits[account], self.used[account], sum(row[account] for row in self.rows))
            for account in ACCOUNTS
        }

    @rule(node=NODES, needs=AMOUNTS, tight=st.booleans())
    def reserve(self, node: int, needs: dict[Account, int], tight: bool) -> None:
        """From memory if it fits there, else what is idle goes back and the ledger grants what it can."""
        if node in self.dead:
            return
        slices = self.nodes[node]
        if all(slices[account].idle >= amount for account, amount in needs.items()):
            assert all(slices[account].reserve(amount) for account, amount in needs.items())
            self.open.append((node, needs))
            return
        for account in ACCOUNTS:
            self.rows[node][account] -= slices[account].give_back()
        found = allocate(self.books(), [needs], processes=3, tight=tight)
        for account in ACCOUNTS:
            added = found.needed.get(account, 0) + found.extra.get(account, 0)
            self.rows[node][account] += added
            slices[account].granted += added
            slices[account].held += found.needed.get(account, 0)
        if found.fits[0]:
            self.open.append((node, needs))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """A request ends having used at most its bound; its event and its slice change at once."""
        node, needs = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        share = data.draw(st.floats(min_value=0, max_value=1))
        for account, reserved in needs.items():
            amount = int(reserved * share)
            self.used[account] += amount
            self.rows[node][account] -= amount
            self.nodes[node][account].settle(reserved, amount)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """A request ends before anybody was called."""
        node, needs = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        for account, reserved in needs.items():
            self.nodes[node][account].settle(reserved, 0)

    @rule(node=NODES)
    def renew(self, node: int) -> None:
        """A process gives its idle slices back, because they were asked for or not used."""
        for account, have in self.nodes[node].items():
            self.rows[node][account] -= have.give_back()

    @rule(node=NODES)
    def crash(self, node: int) -> None:
        """A process dies: its memory is gone, the ledger's rows and the requests it had written down stay."""
        if node in self.dead:
            return
        self.dead[node] = [needs for owner, needs in self.open if owner == node]
        self.open = [each for each in self.open if each[0] != node]
        self.nodes[node] = {account: Slice() for account in ACCOUNTS}

    @precondition(lambda self: any(self.dead.values()))
    @rule(data=st.data())
    def settle_late(self, data: st.DataObject) -> None:
        """A request of a process that was given up is stored after all, before the reaper came to it."""
        node = data.draw(st.sampled_from(sorted(node for node, held in self.dead.items() if held)))
        needs = self.dead[node].pop()
        for account, reserved in needs.items():
            self.used[account] += reserved // 2
            self.rows[node][account] -= reserved // 2

    @precondition(lambda self: self.dead)
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """The reaper settles what a dead process had under way at its bound; the rest is free again."""
        node = data.draw(st.sampled_from(sorted(self.dead)))
        for needs in self.dead.pop(node):
            for account, reserved in needs.items():
                self.used[account] += reserved
                self.rows[node][account] -= reserved
        assert all(amount >= 0 for amount in self.rows[node].values())
        self.rows[node] = dict.fromkeys(ACCOUNTS, 0)

    @rule(account=st.sampled_from(ACCOUNTS), limit=st.integers(min_value=1, max_value=2000))
    def set_limit(self, account: Account, limit: int) -> None:
        """A new limit makes every process give back what is idle; what is used or held stays."""
        self.limits[account] = limit
        for node in range(3):
            self.rows[node][account] -= self.nodes[node][account].give_back()
        promised = self.used[account] + sum(row[account] for row in self.rows)
        self.limits[account] = max(limit, promised)

    @invariant()
    def never_overspent(self) -> None:
        for account, book in self.books().items():
            assert book.used + book.leased <= self.limits[account]

    @invariant()
    def memory_and_ledger_agree(self) -> None:
        for node, slices in enumerate(self.nodes):
            for account, have in slices.items():
                if node in self.dead:
                    continue
                held = sum(needs[account] for owner, needs in self.open if owner == node)
                assert have.granted == self.rows[node][account]
                assert have.held == held <= have.granted


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_requests_that_fit_are_granted_in_the_order_of_their_arrival() -> None:
    account = ACCOUNTS[0]
    asks = [{account: 60}, {account: 50}, {account: 40}]
    found = allocate({account: Book(100, 0, 0)}, asks, processes=1)
    assert found.fits == (True, False, True)
    assert (found.needed, found.extra) == ({account: 100}, {})


def test_a_request_gets_all_of_its_scopes_or_none() -> None:
    tenant, _, key = ACCOUNTS
    found = allocate({tenant: Book(100, 0, 0), key: Book(10, 5, 0)}, [{tenant: 10, key: 6}], processes=1)
    assert (found.fits, found.needed) == ((False,), {})


def test_far_from_the_limit_a_process_gets_a_slice_and_near_it_only_what_it_needs() -> None:
    account = ACCOUNTS[0]
    far = allocate({account: Book(16_000, 0, 0)}, [{account: 10}], processes=2)
    near = allocate({account: Book(16_000, 15_900, 0)}, [{account: 10}], processes=2)
    assert far.extra[account] == (16_000 - 10) // 16
    assert near.extra == {}


def test_an_overrun_never_makes_a_slice_negative() -> None:
    have = Slice(granted=10, held=10)
    have.settle(10, 25)
    assert (have.granted, have.idle, have.held) == (0, 0, 0)
