"""The event log for auditors: verify it, export it."""

from __future__ import annotations

import sys
from typing import BinaryIO, Final

import click
import msgspec

from interfaces import composition
from interfaces.cli.output import as_json, run, show


@click.group()
def audit() -> None:
    """Verify and export the event log."""


@audit.command()
@as_json
def verify(json_output: bool) -> None:
    """Recompute hashes, chain and counters of the whole log; status 1 names the first bad position."""
    report = run(composition.operations.upkeep.verify)
    if json_output:
        show(msgspec.to_builtins(report), json_output=True)
    elif report.ok:
        click.echo(f"verified: {report.events} events up to position {report.head}, chain {report.chain}")
    else:
        click.echo(f"NOT VERIFIED: first bad position {report.first_bad_position}")
        for problem in report.problems:
            click.echo(f"  position {problem.position}: {problem.detail}")
    sys.exit(0 if report.ok else 1)


@audit.command()
@click.option("--tenant", help="Only this tenant's events.")
def export(tenant: str | None) -> None:
    """Write the log as JSON lines, with everything its hashes cover; sealed fields stay sealed."""

    async def write(
        settings: composition.operations.Settings, where: composition.operations.Endpoints
    ) -> None:
        async for line in composition.operations.upkeep.export(settings, where, tenant):
            sys.stdout.buffer.write(line)

    run(write)


@audit.group()
def certificate() -> None:
    """Check certificates of purges."""


@certificate.command("verify")
@click.argument("file", type=click.File("rb"))
@click.option("--public-key", help="Base64 of the key that must have signed it; else the one it carries.")
@as_json
def verify_certificate(file: BinaryIO, public_key: str | None, json_output: bool) -> None:
    """Check a certificate's signature, offline; FILE may be - for stdin. Status 1 when it does not hold."""
    found = composition.operations.upkeep.check_certificate(file.read(), public_key)
    if json_output:
        show({"ok": found.ok, **msgspec.to_builtins(found)}, json_output=True)
    elif found.ok:
        click.echo(f"verified: certificate of {found.purge_id}, signed by key {found.key_id}")
    else:
        click.echo(f"NOT VERIFIED: {found.problem}")
    sys.exit(0 if found.ok else 1)


COMMANDS: Final = (audit,)
