"""How commands print: a table for people, JSON for programs, one line for an error."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import click
import msgspec

from interfaces import composition

T = TypeVar("T")
as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON.")


def show(data: Any, *, json_output: bool) -> None:
    """Print a list of objects as a table, an object as lines, or either as JSON."""
    if json_output:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n")
    elif isinstance(data, Mapping):
        for name, value in data.items():
            click.echo(f"{name}: {plain(value)}")
    else:
        _table(data)


def fail(message: str, status: int = 1) -> NoReturn:
    """Print one line on stderr and end with a status."""
    click.echo(f"aios: {message}", err=True)
    sys.exit(status)


def say(line: str) -> None:
    """Print a line of progress at once."""
    click.echo(line)


def settings() -> composition.operations.Settings:
    """Return the settings. Raises SettingsError, which ends the command with a line naming the variable."""
    return composition.operations.load_settings()


def run(
    work: Callable[
        [composition.operations.Settings, composition.operations.Endpoints], Coroutine[Any, Any, T]
    ],
) -> T:
    """Run one asynchronous piece of work on the product's databases."""
    found = settings()
    where = composition.operations.open_endpoints(found, lambda line: click.echo(line, err=True))
    return asyncio.run(work(found, where))


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        click.echo("(none)")
        return
    lines = [list(rows[0]), *([plain(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def plain(value: Any) -> str:
    """Return a value as people read it: text as it is, nothing as a dash, the rest as JSON."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
