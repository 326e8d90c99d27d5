"""A process that projects the test shelf, to be killed: `python -m tests.projections.runner_process KEYS`.

Its first line of standard input names the database: a JSON object of connection strings.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from domain.kernel.events import EventRegistry
from infrastructure.database.engines import engine
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from projections.runner import Runner
from tests.event_store import open_store
from tests.projections.shelf import EVENTS, SHELF


def registry() -> EventRegistry:
    made = EventRegistry()
    made.register(EVENTS)
    return made


async def project(endpoint: PostgresEndpoint, keys: Path) -> None:
    async with open_store(endpoint, keys, registry()) as store:
        system, owner = engine(endpoint.system_dsn), engine(endpoint.owner_dsn)
        await Runner([SHELF], store.tail, system=system, owner=owner).run()


if __name__ == "__main__":
    asyncio.run(project(PostgresEndpoint(**json.loads(sys.stdin.readline())), Path(sys.argv[1])))
