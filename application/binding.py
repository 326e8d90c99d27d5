"""Gives a context's handlers their ports, so that the bus sees plain handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from application.bus import Command, Handler, Work

P = TypeVar("P")


def bind(
    handlers: Mapping[type[Command], Callable[[Any, Work, P], Awaitable[Any]]], ports: P
) -> dict[type[Command], Handler]:
    """Return a context's HANDLERS as the bus takes them, each with `ports` as its third argument."""
    return {command: _with(handler, ports) for command, handler in handlers.items()}


def _with(handler: Callable[[Any, Work, P], Awaitable[Any]], ports: P) -> Handler:
    def bound(command: Any, work: Work) -> Awaitable[Any]:
        return handler(command, work, ports)

    return bound
