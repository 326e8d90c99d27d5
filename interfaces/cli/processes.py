"""The processes of the product: everything at once (`up`), or each on its own."""

from __future__ import annotations

import errno
from typing import Final

import click
import uvloop

from interfaces import composition
from interfaces.cli.output import fail, say, settings


@click.command()
def up() -> None:
    """Run everything on this machine in the foreground; Ctrl-C or SIGTERM stops it all."""
    composition.operations.run_up(settings(), say)


@click.command()
@click.option("--fd", type=int, help="A listening socket that was inherited.")
def serve(fd: int | None) -> None:
    """Serve the API: gateway, endpoints, console."""
    found = settings()
    try:
        composition.run_api(found, fd)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL}:
            raise
        fail(
            f"cannot listen on {found.host} port {found.port} ({error.strerror}): set AIOS_HOST or AIOS_PORT"
        )


@click.command()
def project() -> None:
    """Keep the read models up to date."""
    _forever(composition.operations.run_projector)


@click.command()
def outbox() -> None:
    """Turn events into jobs."""
    _forever(composition.operations.run_outbox)


@click.command()
def worker() -> None:
    """Run jobs."""
    _forever(composition.operations.run_worker)


@click.command()
def scheduler() -> None:
    """Start scheduled work when it is due."""
    _forever(composition.operations.run_scheduler)


def _forever(work: composition.operations.Process) -> None:
    found = settings()
    composition.configure_logging(found)
    where = composition.operations.open_endpoints(found, say)
    uvloop.run(composition.operations.until_stopped(lambda: work(found, where)))


COMMANDS: Final = (up, serve, project, outbox, worker, scheduler)
