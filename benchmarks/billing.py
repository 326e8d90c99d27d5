"""A month of usage on its real path: counted, previewed, invoiced, and derived from the log again.

    python -m benchmarks.billing [--json] [--events 1000000]

The events are records of gateway requests of one tenant on 6 models, in order of time over January, beside as
many events of another tenant as stand for a tenth; the plan has tiers, a mark-up, included tokens and a base
fee. The invoice from the read model must equal the one from the log, to the cent and line by line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import uvloop

from application.billing.commands import ChargeInput, GrantCredit, PublishPlan, SetSubscription, TierInput
from application.billing.previews import ledger_at, usage_for
from application.ports import AppendRequest, NewEvent
from application.processes.billing_periods import counted
from benchmarks.projections import request_event
from domain.billing.drafting import draft
from domain.billing.invoice import Draft
from domain.kernel.request_record import RequestRecorded
from infrastructure.database.migrate import migrate
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from projections.billing.tables import billing_cells
from tests.infrastructure.billing.bench import JAN, BillingBench, open_bench

MONTH = timedelta(days=31)
IN_FLIGHT = 2000
PLAN = PublishPlan(
    plan_id="pro",
    name="Pro",
    currency="EUR",
    base_fee=Decimal(99),
    included_tokens=1_000_000,
    usd_rate=Decimal("0.92"),
    charges=(
        ChargeInput(
            charge_id="gpt-input",
            name="GPT input",
            models=("openai/*",),
            token_classes=("input", "cached_input"),
            pricing="graduated",
            tiers=(
                TierInput(up_to=100_000_000, price_per_mtok=Decimal("3.33")),
                TierInput(price_per_mtok=Decimal("2.22")),
            ),
        ),
        ChargeInput(
            charge_id="own",
            name="Own models",
            models=("acme/*", "local/*"),
            pricing="cost_plus",
            markup_percent=Decimal("12.5"),
        ),
        ChargeInput(charge_id="rest", name="Everything else", price_per_mtok=Decimal("7.77")),
    ),
)


def month_of_requests(count: int) -> Iterator[tuple[str, RequestRecorded]]:
    """Yield (tenant, record) in order of time; every eleventh is another tenant's."""
    random = Random(11)
    step = MONTH / count
    for number in range(count):
        event = request_event(number, random)
        started = JAN + step * number
        yield "t1", msgspec.structs.replace(event, started_at=started, subject=None, user=None)
        if number % 10 == 9:
            yield "t2", msgspec.structs.replace(event, started_at=started, subject=None, user=None)


async def fill(bench: BillingBench, count: int) -> None:
    """Append the month as the gateway does, many at a time."""
    waiting: list[Awaitable[Any]] = []
    for number, (tenant, event) in enumerate(month_of_requests(count)):
        stream = NewEvent(f"{tenant}/usage/{event.key_id}", event)
        command = f"{number}"
        waiting.append(
            bench.store.log.append(AppendRequest(tenant=tenant, command_id=command, events=(stream,)))
        )
        if len(waiting) == IN_FLIGHT:
            await asyncio.gather(*waiting)
            waiting.clear()
    await asyncio.gather(*waiting)


async def timed(what: Callable[[], Awaitable[Any]], times: int = 1) -> tuple[Any, float]:
    """Return the last result and the median of the milliseconds."""
    taken, result = [], None
    for _ in range(times):
        begin = time.perf_counter()
        result = await what()
        taken.append((time.perf_counter() - begin) * 1000)
    return result, statistics.median(taken)


async def previewed(bench: BillingBench, upto: int) -> Draft:
    """Preview January as of a position, as `GET /billing/preview` does."""
    ledger = await ledger_at(bench.store.log, "t1", upto)
    billed = ledger.period_at(JAN)
    return draft(ledger, billed, await usage_for(bench.book, "t1", ledger, billed, upto))


async def bill(endpoint: PostgresEndpoint, keys: Path, events: int) -> dict[str, Any]:
    """Fill, count, preview, invoice and derive the month; returns what it took."""
    async with open_bench(endpoint, keys) as bench:
        await bench.do(PLAN)
        await bench.do(SetSubscription(plan_id="pro"))
        await bench.do(GrantCredit(amount=Decimal(25), currency="EUR"))
        _, fill_ms = await timed(lambda: fill(bench, events))
        head = await bench.store.log.head()
        _, count_ms = await timed(lambda: counted(bench.store.log, bench.book, 3600))
        _, now_ms = await timed(lambda: previewed(bench, head), 20)
        middle = head // 2
        then, then_ms = await timed(lambda: previewed(bench, middle), 20)
        _, close_ms = await timed(lambda: bench.close(JAN + MONTH + timedelta(hours=1)))
        [issued] = await bench.invoices()
        again, derive_ms = await timed(lambda: bench.derived("t1", JAN, issued.as_of_position))
        half = await bench.derived("t1", JAN, middle)
        cells = await cells_of(bench)
    return {
        "events": events,
        "cells": cells,
        "appended_s": round(fill_ms / 1000, 1),
        "counted_after_the_last_s": round(count_ms / 1000, 1),
        "preview_ms": round(now_ms, 1),
        "preview_at_half_of_the_log_ms": round(then_ms, 1),
        "closing_ms": round(close_ms, 1),
        "derived_from_the_log_s": round(derive_ms / 1000, 1),
        "lines": len(issued.lines),
        "total": f"{issued.total_minor / 100:.2f} {issued.currency}",
        "same_invoice": (again.lines, again.total_minor) == (issued.lines, issued.total_minor),
        "same_preview": half == then,
    }


async def cells_of(bench: BillingBench) -> int:
    """Return how many rows the month takes."""
    async with bench.reading("t1") as conn:
        return len(
            (await conn.execute(billing_cells.select().with_only_columns(billing_cells.c.block))).all()
        )


def measure(events: int) -> dict[str, Any]:
    """Measure on a fresh embedded PostgreSQL with fsync on."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "pg")
        endpoint = server.ensure_running()
        try:
            migrate(endpoint.owner_dsn)
            return uvloop.run(bill(endpoint, Path(folder) / "keys", events))
        finally:
            server.stop()


def main() -> None:
    """Print the result for people, or as JSON; fails when the two invoices differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    result = measure(options.events)
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:30} {value}")
    if not (result["same_invoice"] and result["same_preview"]):
        raise SystemExit("the read model and the log disagree")


if __name__ == "__main__":
    main()
