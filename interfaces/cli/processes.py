"""The processes of the product: everything at once (`up`), or each on its own."""

from __future__ import annotations

import asyncio
from typing import Final

import click

from interfaces import composition
from interfaces.cli.output import say, settings


@click.command()
def up() -> None:
    """Run everything on this machine in the foreground; Ctrl-C or SIGTERM stops it all."""
    composition.run_up(settings(), say)


@click.command()
@click.option("--fd", type=int, help="A listening socket that was inherited.")
def serve(fd: int | None) -> None:
    """Serve the API: gateway, endpoints, console."""
    composition.run_api(settings(), fd)


@click.command()
def project() -> None:
    """Keep the read models up to date."""
    _forever(composition.run_projector)


@click.command()
def outbox() -> None:
    """Turn events into jobs."""
    _forever(composition.run_outbox)


@click.command()
def worker() -> None:
    """Run jobs."""
    _forever(composition.run_worker)


@click.command()
def scheduler() -> None:
    """Start scheduled work when it is due."""
    _forever(composition.run_scheduler)


def _forever(work: composition.Process) -> None:
    found = settings()
    composition.configure_logging(found)
    where = composition.open_endpoints(found, say)
    asyncio.run(composition.until_stopped(lambda: work(found, where)))


COMMANDS: Final = (up, serve, project, outbox, worker, scheduler)
