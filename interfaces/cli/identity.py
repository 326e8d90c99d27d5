"""Tenants and API keys from the command line, with the same rules and events as over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click
import msgspec

from application.tenancy.commands import CreateKey, CreateTenant, RevokeKey
from domain.kernel.names import DEFAULT_TENANT
from interfaces import composition
from interfaces.cli.output import as_json, run, show
from projections.tenancy import queries

tenant_option = click.option("--tenant", default=DEFAULT_TENANT, show_default=True)


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command("create")
@click.argument("name")
@click.option("--role", "roles", multiple=True, required=True, help="May be given several times.")
@click.option("--workspace", help="Bind the key to one workspace.")
@click.option("--expires-at", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]), help="UTC.")
@tenant_option
@as_json
def create_key(
    name: str,
    roles: Sequence[str],
    workspace: str | None,
    expires_at: datetime | None,
    tenant: str,
    json_output: bool,
) -> None:
    """Make an API key; it is shown once."""
    fields = {"name": name, "roles": list(roles), "workspace_id": workspace, "expires_at": expires_at}
    if expires_at is not None:
        fields["expires_at"] = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    made = _dispatch(_command(CreateKey, fields), tenant)
    show(msgspec.to_builtins(made), json_output=json_output)


@keys.command("list")
@tenant_option
@as_json
def list_keys(tenant: str, json_output: bool) -> None:
    """List a tenant's API keys."""
    found = _read(tenant, lambda conn: queries.list_keys(conn, now=composition.clock(), limit=500))
    show(msgspec.to_builtins(found), json_output=json_output)


@keys.command("revoke")
@click.argument("key_id")
@tenant_option
@as_json
def revoke_key(key_id: str, tenant: str, json_output: bool) -> None:
    """Revoke an API key, at once on every process."""
    show(msgspec.to_builtins(_dispatch(RevokeKey(key_id=key_id), tenant)), json_output=json_output)


@click.group()
def tenants() -> None:
    """Create and list tenants."""


@tenants.command("create")
@click.argument("tenant_id")
@click.option("--name", help="For people; the id when left off.")
@as_json
def create_tenant(tenant_id: str, name: str | None, json_output: bool) -> None:
    """Found a tenant; its admin key is shown once."""
    command = _command(CreateTenant, {"tenant_id": tenant_id, "name": name or tenant_id})
    show(msgspec.to_builtins(_dispatch(command, DEFAULT_TENANT)), json_output=json_output)


@tenants.command("list")
@as_json
def list_tenants(json_output: bool) -> None:
    """List all tenants."""
    found = _read(DEFAULT_TENANT, lambda conn: queries.list_tenants(conn, limit=500))
    show(msgspec.to_builtins(found), json_output=json_output)


def _command(cls: Any, fields: dict[str, Any]) -> Any:
    try:
        return msgspec.convert(fields, cls)
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from None


def _dispatch(command: Any, tenant: str) -> Any:
    async def work(settings: composition.operations.Settings, where: composition.operations.Endpoints) -> Any:
        async with composition.administration(settings, where) as admin:
            return (await admin.dispatch(command, tenant)).result

    return run(work)


def _read(tenant: str, query: Any) -> Any:
    async def work(settings: composition.operations.Settings, where: composition.operations.Endpoints) -> Any:
        async with composition.administration(settings, where) as admin, admin.reading(tenant) as conn:
            return await query(conn)

    return run(work)


COMMANDS: Final = (keys, tenants)
