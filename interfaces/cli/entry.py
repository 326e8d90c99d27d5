"""The start of `aios`: a filter such as `aios pii` runs without importing the product around it."""

from __future__ import annotations

import sys

import click

from domain.kernel.errors import AiosError


def main() -> None:
    """Run the command line; `pii` alone is served from its own module, which imports little."""
    if sys.argv[1:2] == ["pii"]:
        _filter()
        return
    from interfaces.cli.main import main as everything

    everything()


def _filter() -> None:
    from interfaces.cli.pii import pii

    try:
        pii(args=sys.argv[2:], prog_name="aios pii", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2 if isinstance(error, click.UsageError) else 1)
    except AiosError as error:
        click.echo(f"aios: {error.message}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
