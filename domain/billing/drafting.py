"""Drafts the invoice of a period from ledger and usage; a preview and the real one are the same draft."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from domain.billing import metering
from domain.billing.credits import use_for
from domain.billing.currency import ATTO, DECIMALS, rounded
from domain.billing.invoice import BASE_FEE, MINIMUM, Draft, Line, unit_of, usage_lines
from domain.billing.ledger import Closed, Ledger
from domain.billing.metering import Cell
from domain.billing.rating import Rated, assign, rate
from domain.billing.subscription import BillingPeriod


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Usage up to a position of the log: that of the period, and `late` what was recorded of closed ones.

    `late` holds, with their quarters of an hour, events after the last invoice's position alone.
    """

    as_of_position: int
    own: Sequence[Cell]
    late: Sequence[Cell] = ()


def draft(ledger: Ledger, billed: BillingPeriod, usage: Usage) -> Draft:
    """Return the invoice of a period that was not closed yet."""
    plan = billed.subscription.plan
    assigned = assign(plan, usage.own)
    rated = rate(plan, assigned.quantities, _included(billed))
    lines = _charges(billed, rated)
    lines += [line for closed in ledger.closed.values() for line in _adjustments(closed, usage.late)]
    if ledger.carried_minor:
        lines.append(
            Line(
                kind="carried_over",
                description="Carried over from the invoice before",
                amount_minor=ledger.carried_minor,
            )
        )
    owed = sum(line.amount_minor for line in lines)
    if owed < 0:
        lines.append(
            Line(
                kind="carried_forward", description="Carried forward to the next invoice", amount_minor=-owed
            )
        )
    lines += _credits(ledger, billed, owed)
    return Draft(
        period=billed.period,
        plan=plan.label,
        currency=plan.currency,
        lines=tuple(lines),
        as_of_position=usage.as_of_position,
        unrated_tokens=assigned.unrated_tokens,
        unpriced_requests=assigned.unpriced_requests,
    )


def _included(billed: BillingPeriod) -> int:
    return int(billed.part_of(billed.subscription.plan.included_tokens))


def _charges(billed: BillingPeriod, rated: Sequence[Rated]) -> list[Line]:
    """Return the base fee, what was used, and what is missing to the minimum."""
    plan = billed.subscription.plan
    lines = []
    if plan.base_fee_minor:
        fee = _part(billed, plan.base_fee_minor)
        lines.append(Line(kind="base_fee", description=f"{plan.name}: base fee", amount_minor=fee))
    lines += usage_lines(rated)
    missing = _part(billed, plan.minimum_minor) - sum(line.amount_minor for line in lines)
    if missing > 0:
        text = f"{plan.name}: rest of the agreed minimum"
        lines.append(Line(kind="minimum", description=text, amount_minor=missing))
    return lines


def _part(billed: BillingPeriod, minor: int) -> int:
    """Return a monthly amount in proportion to the period, rounded once."""
    currency = billed.subscription.plan.currency
    return rounded(int(billed.part_of(minor) * ATTO) // 10 ** DECIMALS[currency], currency)


def _adjustments(closed: Closed, late: Sequence[Cell]) -> list[Line]:
    """Return what changes for an invoiced period, at its own terms: by charge, and by its minimum."""
    period = closed.period
    cells = [cell for cell in late if cell.quarter is not None and period.holds(cell.quarter)]
    if not cells:
        return []
    billed = closed.terms
    came = assign(billed.subscription.plan, metering.by_model(cells)).quantities
    quantities = {name: closed.quantities[name] + came.get(name, 0) for name in {*closed.quantities, *came}}
    rated = rate(billed.subscription.plan, quantities, _included(billed))
    lines = []
    for r in rated:
        name = r.charge.charge_id
        change = r.amount_minor - closed.billed[name]
        if change or came.get(name):
            lines.append(_adjustment(closed, r, change, came.get(name, 0)))
    charged = closed.billed[BASE_FEE] + sum(r.amount_minor for r in rated)
    missing = max(0, _part(billed, billed.subscription.plan.minimum_minor) - charged)
    if missing != closed.billed[MINIMUM]:
        text = f"Rest of the agreed minimum of {closed.number}, after late usage"
        change = missing - closed.billed[MINIMUM]
        lines.append(
            Line(kind="adjustment", description=text, amount_minor=change, adjusts=closed.invoice_id)
        )
    return lines


def _adjustment(closed: Closed, rated: Rated, change: int, quantity: int) -> Line:
    return Line(
        kind="adjustment",
        description=f"{rated.charge.name}: usage of {_days(closed)} recorded after {closed.number}",
        amount_minor=change,
        charge_id=rated.charge.charge_id,
        quantity=quantity,
        unit=unit_of(rated),
        adjusts=closed.invoice_id,
    )


def _days(closed: Closed) -> str:
    def day(at: datetime) -> str:
        return at.date().isoformat()

    return f"{day(closed.period.start)} to {day(closed.period.end)}"


def _credits(ledger: Ledger, billed: BillingPeriod, owed: int) -> list[Line]:
    currency = billed.subscription.plan.currency
    return [
        Line(
            kind="credit",
            description=f"Credit {use.grant.note or use.grant.grant_id}",
            amount_minor=-use.amount_minor,
            grant_id=use.grant.grant_id,
        )
        for use in use_for(ledger.usable_grants(), billed.period, currency, owed)
    ]
