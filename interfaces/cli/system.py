"""The installation itself: schema, health, console build."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import click

from interfaces import composition
from interfaces.cli.output import as_json, fail, plain, run, say, settings, show


@click.command()
@as_json
def migrate(json_output: bool) -> None:
    """Bring the database to the newest schema, and erase again what a restored one does not know of."""
    found = settings()
    where = composition.operations.open_endpoints(found, lambda _line: None)
    revision = composition.operations.migrate(where)
    redone = asyncio.run(composition.operations.upkeep.redo_purges(found, where))
    show({"revision": revision, "purges_redone": redone}, json_output=json_output)


@click.command()
@as_json
def doctor(json_output: bool) -> None:
    """Say what is configured, reachable and missing; prints database URLs with their passwords."""
    found = asyncio.run(composition.operations.diagnose(settings()))
    if json_output:
        show({"ok": found.ok, **found.components}, json_output=True)
    else:
        for name, component in found.components.items():
            click.echo(f"{name:10} {'ok' if component['ok'] else 'MISSING'}")
            for fact, value in component.items():
                if fact != "ok" and value is not None:
                    click.echo(f"    {fact}: {plain(value)}")
    sys.exit(0 if found.ok else 1)


@click.group()
def ui() -> None:
    """The admin console."""


@ui.command()
def build() -> None:
    """Build the admin console where its sources have changed."""
    try:
        click.echo(f"built: {composition.operations.build_console(say)}")
    except composition.operations.WebBuildError as error:
        fail(str(error))


@click.group()
def demo() -> None:
    """Sample data."""


@demo.command()
@as_json
def load(json_output: bool) -> None:
    """Fill the tenant `demo` with realistic data for every page; running it again changes nothing."""
    show(run(composition.load_demo), json_output=json_output)


COMMANDS: Final = (migrate, doctor, ui, demo)
