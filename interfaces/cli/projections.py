"""The read models: where they stand, and what to do when one is wrong."""

from __future__ import annotations

from typing import Final

import click

from interfaces import composition
from interfaces.cli.output import as_json, run, show


@click.group()
def projections() -> None:
    """List, rebuild and mend read models."""


@projections.command("list")
@as_json
def list_(json_output: bool) -> None:
    """Show how far every projection is."""
    show(run(composition.operations.upkeep.list_projections), json_output=json_output)


@projections.command()
@click.argument("name")
@as_json
def rebuild(name: str, json_output: bool) -> None:
    """Replay a projection into a new copy and swap it in; reads go on meanwhile."""
    show(
        run(lambda s, w: composition.operations.upkeep.rebuild_projection(s, w, name)),
        json_output=json_output,
    )


@projections.command()
@click.argument("name")
@as_json
def retry(name: str, json_output: bool) -> None:
    """Apply a projection's parked events again."""
    show(
        run(lambda s, w: composition.operations.upkeep.retry_projection(s, w, name)), json_output=json_output
    )


@projections.command()
@click.argument("name")
@as_json
def rollback(name: str, json_output: bool) -> None:
    """Serve the copy from before the last rebuild again."""
    show(
        run(lambda s, w: composition.operations.upkeep.roll_back_projection(s, w, name)),
        json_output=json_output,
    )


COMMANDS: Final = (projections,)
