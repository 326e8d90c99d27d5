"""Personal data from the command line: find it in texts. Imports little, so that a filter starts fast."""

from __future__ import annotations

import sys
from typing import Final

import click

from application.memory.pii_lines import detect_jsonl
from application.memory.pii_phone_plans import LibraryPhonePlans
from domain.kernel.pii import CERTAIN_TYPES, PiiType
from domain.memory.pii.detector import Detector


@click.group()
def pii() -> None:
    """Find personal data in texts."""


@pii.command()
@click.option(
    "--jsonl", is_flag=True, required=True, help="Read and write JSON lines (the one format there is)."
)
@click.option(
    "--entities",
    callback=lambda _context, _option, named: kinds_of(named),
    metavar="KINDS",
    help=f"Kinds to look for, with commas between them: {', '.join(PiiType)}. All but PERSON when left off.",
)
def detect(jsonl: bool, entities: frozenset[PiiType]) -> None:
    """Read lines {"id", "text"} from standard input; write lines {"id", "spans": [{"start", "end", "type"}]}.

    Offsets count code points. An unusable line ends the command with status 1 and its number; those before it
    have been answered; a kind that does not exist ends it with status 2 before any.
    """
    for answer in detect_jsonl(Detector(LibraryPhonePlans(), entities), sys.stdin.buffer):
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


def kinds_of(named: str | None) -> frozenset[PiiType]:
    """Return the kinds of a list with commas, the certain ones for None. Raises click.BadParameter."""
    if named is None:
        return CERTAIN_TYPES
    names = [name.strip().upper() for name in named.split(",") if name.strip()]
    unknown = [name for name in names if name not in PiiType.__members__]
    if unknown or not names:
        raise click.BadParameter(f"{', '.join(unknown) or 'nothing'} is no kind; use {', '.join(PiiType)}")
    return frozenset(map(PiiType, names))


COMMANDS: Final = (pii,)
