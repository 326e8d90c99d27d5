"""The command `aios`: one group, each context's commands in a module of its own."""

from __future__ import annotations

import os
import sys

import click

from domain.kernel.errors import AiosError
from interfaces import composition
from interfaces.cli import audit, identity, pii, processes, projections, system
from interfaces.cli.output import fail


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="artisan-aios", prog_name="aios")
def aios() -> None:
    """Run and operate the Artisan Enterprise AI Operating System."""


for module in (processes, system, projections, audit, identity, pii):
    for command in module.COMMANDS:
        aios.add_command(command)


def main() -> None:
    """Run the command line; errors the product raises on purpose are one line, without a stack trace."""
    try:
        aios(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2 if isinstance(error, click.UsageError) else 1)
    except composition.operations.SettingsError as error:
        fail(str(error), 2)
    except AiosError as error:
        fail(error.message)
    except composition.operations.EmbeddedServiceError as error:
        fail(str(error))
    except composition.operations.DatabaseError as error:
        fail(f"the database does not answer: {str(error).strip().splitlines()[0]}")
    except BrokenPipeError:  # whoever read our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
