"""A worker that sends one invoice to a Stripe: `python -m tests.faults.billing_worker_process ARGUMENTS`.

The only argument is JSON: {"endpoint": {...}, "keys": ..., "url": ..., "position": ...}.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from domain.registry import event_registry
from infrastructure.billing.payment_jobs import NAMES, payment_jobs
from infrastructure.billing.stripe import StripePayments
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.jobs.job import JobCall, JobRef
from tests.event_store import open_store
from tests.fakes.stripe_server import KEY


def clock() -> datetime:
    return datetime.now(UTC)


async def main() -> None:
    asked = json.loads(sys.argv[1])
    endpoint, keys = PostgresEndpoint(**asked["endpoint"]), Path(asked["keys"])
    async with open_store(endpoint, keys, event_registry()) as store:
        payments = StripePayments(KEY, clock, asked["url"])
        batch = await store.tail.read_batch(asked["position"] - 1, 1)
        envelope = batch.events[0]
        ref = JobRef(NAMES[envelope.type], envelope.position)
        job = next(j for j in payment_jobs(store.log, payments, clock) if j.name == ref.job)
        await job.handler(JobCall(ref=ref, envelope=envelope, last_attempt=False))
        await payments.close()


if __name__ == "__main__":
    asyncio.run(main())
