"""Admits requests within the quotas of their scopes: all of them in one step, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import msgspec

from application.processes.gateway.admission import (
    Admitted,
    Assumed,
    Bound,
    Unlimited,
    bound_of,
)
from application.processes.gateway.call import GatewayCall
from application.processes.gateway.outcome import Refused
from application.processes.gateway.quota_ports import CostBounds, Hold, Holds, Limits
from domain.kernel.errors import Unavailable
from domain.kernel.request_record import RequestRecorded, TokenCounts
from domain.kernel.values import usd_text
from domain.orchestration.catalogue import Catalogue
from domain.orchestration.routing import Route
from domain.usage.quota import Account, QuotaLimits, Scope, scopes_of, state_within
from domain.usage.quota_slices import Book, DoesNotFit
from domain.usage.quota_use import usage_of

MOST_KNOWN = 10_000
_WORSE = {"ok": 0, "warning": 1, "exceeded": 2}


class _Limited(msgspec.Struct, frozen=True):
    """One account that limits a request, with the limits it comes from."""

    account: Account
    limits: QuotaLimits
    limit: int
    soft: int | None


class QuotaAdmission:
    """Implements Admission; a tenant without limits costs one look into a dictionary."""

    def __init__(
        self, limits: Limits, holds: Holds, prices: CostBounds, subject_reference: Callable[[str, str], str]
    ) -> None:
        self._limits = limits
        self._holds = holds
        self._prices = prices
        self._subject_reference = subject_reference
        self._known: dict[tuple[str | None, ...], tuple[_Limited, ...]] = {}
        self._known_at = -1

    async def admit(self, call: GatewayCall, route: Route, catalogue: Catalogue) -> Admitted:
        """Reserve a request's upper bound. Raises Refused, or Unavailable when the ledger does not answer."""
        bound = bound_of(call, route, catalogue)
        limited = self._limited(call)
        if not limited or call.request.operation == "count_tokens":
            return Unlimited(bound.max_tokens)
        needs = self._needs(limited, call, route, bound)
        if not needs:
            return _Watched(self._holds, limited, bound, {}, None)
        try:
            hold = await self._holds.hold(call.caller.tenant, call.request_id, needs)
        except DoesNotFit as problem:
            smaller = self._shrunk(limited, call, route, bound, problem.books)
            if smaller is None:
                raise self._refusal(limited, call, needs, problem.books) from None
            return await self._admit_smaller(limited, call, route, smaller)
        return _Watched(self._holds, limited, bound, needs, hold, self._costing(call, route, bound))

    def preview(self, call: GatewayCall, route: Route, catalogue: Catalogue) -> Mapping[str, str]:
        """Return the headers that the request would have."""
        limited = self._limited(call)
        if not limited or call.request.operation == "count_tokens":
            return Unlimited(None).headers()
        bound = bound_of(call, route, catalogue)
        needs = self._needs(limited, call, route, bound)
        return _Watched(self._holds, limited, bound, needs, None).headers()

    async def _admit_smaller(
        self, limited: Sequence[_Limited], call: GatewayCall, route: Route, bound: Bound
    ) -> Admitted:
        needs = self._needs(limited, call, route, bound)
        try:
            hold = await self._holds.hold(call.caller.tenant, call.request_id, needs)
        except DoesNotFit as problem:
            raise self._refusal(limited, call, needs, problem.books) from None
        return _Watched(
            self._holds, limited, bound, needs, hold, self._costing(call, route, bound), shrunk=True
        )

    def _limited(self, call: GatewayCall) -> tuple[_Limited, ...]:
        """Return what limits a request; worked out once for requests that name the same scopes."""
        tenant = call.caller.tenant
        if not self._limits.limits(tenant):
            return ()
        if self._known_at != self._limits.changes or len(self._known) >= MOST_KNOWN:
            self._known.clear()
            self._known_at = self._limits.changes
        month = self._limits.month(tenant, call.started_at)
        user = call.user if self._limits.limits_users(tenant) else None
        key = (tenant, month, call.workspace, call.key_id, call.segment, user)
        found = self._known.get(key)
        if found is None:
            subject = self._subject_reference(tenant, user) if user else None
            scopes = scopes_of(call.workspace, call.key_id, call.segment, subject)
            found = self._known[key] = tuple(self._limiting(tenant, month, scopes))
        return found

    def _limiting(self, tenant: str, month: str, scopes: Sequence[Scope]) -> Iterator[_Limited]:
        limits = self._limits.limits(tenant)
        for scope in scopes:
            if (found := limits.get(scope)) is not None:
                for unit in found.units:
                    account = Account(tenant, scope.kind, scope.id, month, unit)
                    yield _Limited(account, found, found.limit(unit) or 0, found.soft_point(unit))

    def _costing(self, call: GatewayCall, route: Route, bound: Bound) -> Callable[[], int]:
        return partial(self._cost_bound, call, route, bound)

    def _cost_bound(self, call: GatewayCall, route: Route, bound: Bound) -> int:
        """Return the micro-dollars of a bound at the dearest target of the chain."""
        tenant, at = call.caller.tenant, call.started_at
        read, written = bound.input_tokens, bound.output_tokens
        return max([self._prices.bound(tenant, target, read, written, at) for target in route.targets])

    def _needs(
        self, limited: Sequence[_Limited], call: GatewayCall, route: Route, bound: Bound
    ) -> dict[Account, int]:
        needs: dict[Account, int] = {}
        cost: int | None = None
        for each in limited:
            if not each.limits.hard_cap_enabled:
                continue
            if each.account.unit == "tokens":
                needs[each.account] = bound.tokens
            else:
                cost = self._cost_bound(call, route, bound) if cost is None else cost
                needs[each.account] = cost
        return needs

    def _shrunk(
        self,
        limited: Sequence[_Limited],
        call: GatewayCall,
        route: Route,
        bound: Bound,
        books: Mapping[Account, Book],
    ) -> Bound | None:
        """Return the largest bound that fits, None when none does or a scope in the way does not allow it."""
        tight = [
            each
            for each in limited
            if each.account in books and not self._fits(each.account, books, call, route, bound)
        ]
        if bound.max_tokens is None or not all(each.limits.shrink_max_tokens for each in tight):
            return None
        low, high = 0, bound.max_tokens
        while low < high:
            middle = (low + high + 1) // 2
            smaller = Bound(bound.input_tokens, middle * call.request.choices, middle)
            if all(self._fits(each.account, books, call, route, smaller) for each in tight):
                low = middle
            else:
                high = middle - 1
        return Bound(bound.input_tokens, low * call.request.choices, low) if low else None

    def _fits(
        self, account: Account, books: Mapping[Account, Book], call: GatewayCall, route: Route, bound: Bound
    ) -> bool:
        free = books[account].free
        if account.unit == "tokens":
            return bound.tokens <= free
        return self._cost_bound(call, route, bound) <= free

    def _refusal(
        self,
        limited: Sequence[_Limited],
        call: GatewayCall,
        needs: Mapping[Account, int],
        books: Mapping[Account, Book],
    ) -> Refused:
        tight = min(needs, key=lambda account: books[account].free - needs[account])
        book, need = books[tight], needs[tight]
        limit = book.limit or 0
        end = self._limits.period(call.caller.tenant, call.started_at).end
        what = "tokens" if tight.unit == "tokens" else "cost"
        whose = f"{tight.kind} '{tight.id}'" if tight.id else "the tenant"
        message = (
            f"The monthly {what} limit of {whose} does not allow this request: it may use up to "
            f"{amount_text(tight, need)}, but of {amount_text(tight, limit)} are used "
            f"{amount_text(tight, book.used)} and held {amount_text(tight, max(0, book.leased))} by requests "
            f"under way. Ask for less (max_tokens), or wait until {end:%Y-%m-%dT%H:%M:%SZ}."
        )
        remaining = max(0, limit - book.used - book.leased)
        headers = {
            "x-aios-quota-state": "exceeded" if remaining == 0 else self._state(limited),
            "x-aios-quota-remaining": plain_text(tight, remaining),
            "x-aios-quota-reserved": plain_text(tight, need),
        }
        return Refused(429, "quota_exceeded", message, headers=headers)

    def _state(self, limited: Sequence[_Limited]) -> str:
        return _Watched(self._holds, limited, Bound(0, 0, None), {}, None).headers()["x-aios-quota-state"]


class _Watched:
    """A request within limits; `hold` is None where none of them is hard."""

    def __init__(
        self,
        holds: Holds,
        limited: Sequence[_Limited],
        bound: Bound,
        needs: Mapping[Account, int],
        hold: Hold | None,
        cost: Callable[[], int] = lambda: 0,
        *,
        shrunk: bool = False,
    ) -> None:
        self.max_tokens = bound.max_tokens
        self._holds = holds
        self._limited = limited
        self._bound = bound
        self._needs = needs
        self._hold = hold
        self._cost = cost
        self._shrunk = shrunk
        self._ended = False

    def dispatched(self, record: Assumed) -> None:
        if self._hold is not None:
            usage = TokenCounts(input=self._bound.input_tokens, output=self._bound.output_tokens)
            self._hold.record = lambda: record(usage, self._cost())

    async def again(self) -> bool:
        if self._hold is not None:
            try:
                await self._holds.extend(self._hold, self._needs)
            except (DoesNotFit, Unavailable):
                return False
        return True

    def settle(self, record: RequestRecorded) -> None:
        self._end(*usage_of(record))

    def release(self) -> None:
        self._end(0, 0)

    def headers(self) -> Mapping[str, str]:
        """Return the state of the worst scope, and what remains of the tightest."""
        state, tightest, least, remaining = "ok", None, 2.0, 0
        for each in self._limited:
            account = each.account
            used, held = self._holds.standing(account)
            found = state_within(each.limit, each.soft, used, held)
            if _WORSE[found] > _WORSE[state]:
                state = found
            left = max(0, each.limit - used - held)
            share = left / each.limit
            if share < least:
                tightest, least, remaining = account, share, left
        headers = {"x-aios-quota-state": state}
        if tightest is not None:
            headers["x-aios-quota-remaining"] = plain_text(tightest, remaining)
            if tightest in self._needs:
                headers["x-aios-quota-reserved"] = plain_text(tightest, self._needs[tightest])
        if self._shrunk:
            headers["x-aios-quota-max-tokens"] = str(self.max_tokens)
        return headers

    def _end(self, tokens: int, cost: int) -> None:
        if self._ended:
            return
        self._ended = True
        if self._hold is not None:
            self._holds.settle(self._hold, tokens, cost)
        if len(self._needs) == len(self._limited):
            return
        for each in self._limited:
            if each.account not in self._needs:
                self._holds.count(each.account, tokens if each.account.unit == "tokens" else cost)


def amount_text(account: Account, amount: int) -> str:
    """Return an amount with its unit, for people."""
    return f"{amount} tokens" if account.unit == "tokens" else f"{usd_text(amount)} US dollars"


def plain_text(account: Account, amount: int) -> str:
    """Return an amount as a header has it: tokens, or US dollars."""
    return str(amount) if account.unit == "tokens" else usd_text(amount)
