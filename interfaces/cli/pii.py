"""Personal data from the command line: find it in texts. Imports little, so that a filter starts fast."""

from __future__ import annotations

import sys
from typing import Final

import click

from application.memory.pii_lines import detect_jsonl
from application.memory.pii_phone_plans import LibraryPhonePlans
from domain.memory.pii.detector import Detector


@click.group()
def pii() -> None:
    """Find personal data in texts."""


@pii.command()
@click.option(
    "--jsonl", is_flag=True, required=True, help="Read and write JSON lines (the one format there is)."
)
def detect(jsonl: bool) -> None:
    """Read lines {"id", "text"} from standard input; write lines {"id", "spans": [{"start", "end", "type"}]}.

    Offsets count code points. An unusable line ends the command with status 1 and its number; those before it
    have been answered.
    """
    for answer in detect_jsonl(Detector(LibraryPhonePlans()), sys.stdin.buffer):
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


COMMANDS: Final = (pii,)
