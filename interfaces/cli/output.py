"""How commands print: a table for people, JSON for programs, one line for an error."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table

from interfaces import composition

T = TypeVar("T")
as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON.")


def show(data: Any, *, json_output: bool, columns: Sequence[str] = ()) -> None:
    """Print a list of objects as a table, an object as lines, or either as JSON."""
    if json_output:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n")
    elif isinstance(data, Mapping):
        for name, value in data.items():
            click.echo(f"{name}: {_plain(value)}")
    else:
        _table(data, columns)


def fail(message: str, status: int = 1) -> NoReturn:
    """Print one line on stderr and end with a status."""
    click.echo(f"aios: {message}", err=True)
    sys.exit(status)


def say(line: str) -> None:
    """Print a line of progress at once."""
    click.echo(line)


def settings() -> composition.Settings:
    """Return the settings; a wrong value ends the command with one line that names the variable."""
    try:
        return composition.load_settings()
    except composition.SettingsError as error:
        fail(str(error), 2)


def run(work: Callable[[composition.Settings, composition.Endpoints], Coroutine[Any, Any, T]]) -> T:
    """Run one asynchronous piece of work on the product's databases."""
    found = settings()
    where = composition.open_endpoints(found, lambda line: click.echo(line, err=True))
    return asyncio.run(work(found, where))


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    names = columns or (list(rows[0]) if rows else [])
    table = Table(*names, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(_plain(row.get(name)) for name in names))
    Console(soft_wrap=True).print(table)


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
