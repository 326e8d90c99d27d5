"""Orchestration's use cases: load, decide, save."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import UnsetType

from application.bus import Command, Work
from application.orchestration.answers import PolicyAnswer, ProviderAnswer, ProviderGone
from application.orchestration.commands import RegisterProvider, RemoveProvider, SetModelPolicy
from application.orchestration.ports import OrchestrationPorts
from domain.kernel.errors import Conflict, Forbidden
from domain.orchestration.model_policy import ModelPolicy
from domain.orchestration.policy import Policy
from domain.orchestration.policy_warnings import warnings
from domain.orchestration.provider import Endpoint, Provider
from domain.orchestration.provider_spec import RESERVED, ModelSpec

T = TypeVar("T")
WRITERS = ("admin", "operator")


async def set_model_policy(command: SetModelPolicy, work: Work, ports: OrchestrationPorts) -> PolicyAnswer:
    """Set a workspace's policy. Raises Forbidden, InvalidInput."""
    work.caller.require(*WRITERS)
    _check_workspace(work, command.workspace_id)
    model_policy = await work.load(ModelPolicy, command.workspace_id)
    policy = msgspec.convert(command, Policy, from_attributes=True)
    model_policy.set(command.workspace_id, policy, work.at)
    await work.save(model_policy)
    if work.duplicate:
        model_policy = await work.load(ModelPolicy, command.workspace_id)
    return PolicyAnswer(
        workspace_id=command.workspace_id,
        version=model_policy.number,
        set_by=work.caller.actor,
        set_at=model_policy.set_at or work.at,
        warnings=warnings(policy, ports.providers.catalogue(work.caller.tenant)),
        **{field: getattr(policy, field) for field in policy.__struct_fields__},
    )


async def register_provider(
    command: RegisterProvider, work: Work, ports: OrchestrationPorts
) -> ProviderAnswer:
    """Add or replace a custom provider. Raises Forbidden, InvalidInput."""
    work.caller.require(*WRITERS)
    endpoint = Endpoint(
        name=command.name,
        dialect=command.dialect,
        base_url=ports.normalise_base_url(command.base_url, dialect=command.dialect),
        models=msgspec.convert(command.models, tuple[ModelSpec, ...], from_attributes=True),
        drain_seconds=command.drain_seconds,
        allow_probe=command.allow_probe,
    )
    provider = await work.load(Provider, command.name)
    registered = provider.register(
        endpoint, work.at, api_key=_given(command.api_key), headers=_given(command.headers)
    )
    await work.save(provider)
    if work.duplicate:
        provider = await work.load(Provider, command.name)
    return ProviderAnswer.of(provider.active or registered)


async def remove_provider(command: RemoveProvider, work: Work, _ports: OrchestrationPorts) -> ProviderGone:
    """Take a custom provider out of use. Raises Forbidden, NotFound, Conflict for a built-in one."""
    work.caller.require(*WRITERS)
    if command.name in RESERVED:
        raise Conflict(
            f"'{command.name}' is a built-in provider, configured by the environment; it cannot be removed"
        )
    provider = await work.load(Provider, command.name)
    provider.remove(command.name, work.at)
    await work.save(provider)
    return ProviderGone(name=command.name)


def _check_workspace(work: Work, workspace: str) -> None:
    own = work.caller.workspace
    if own is not None and own != workspace:
        raise Forbidden(f"this key is bound to workspace '{own}' and cannot change '{workspace}'")


def _given(value: T | UnsetType | None) -> T | None:
    """Return what the client sent, None when it left the field off or null."""
    return None if value is None or isinstance(value, UnsetType) else value


HANDLERS: Mapping[type[Command], Callable[[Any, Work, OrchestrationPorts], Awaitable[Any]]] = {
    SetModelPolicy: set_model_policy,
    RegisterProvider: register_provider,
    RemoveProvider: remove_provider,
}
