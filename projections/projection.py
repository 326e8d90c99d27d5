"""A projection: a name, a version, its tables and one pure handler for each event type it understands."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Table

from domain.kernel.events import Envelope, Event
from projections.ops import RowOp
from projections.tables import check_table

Handler = Callable[[Envelope[Any]], Iterable[RowOp]]
Resolver = Callable[[Sequence[RowOp]], Awaitable[Sequence[RowOp]]]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class HandlerFailed(Exception):
    """A handler could not digest an event: an undecodable one, or a mistake in the handler."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(f"event {position}: {problem}")
        self.position = position
        self.problem = problem


@dataclass(frozen=True)
class Projection:
    """Folds events into tables it alone writes.

    Raise `version` whenever the tables or what handlers write change: the runner then rebuilds from the
    first event beside the old copy and swaps. `resolve` completes a batch's operations with what handlers
    cannot know (a model's vectors) before the rows are written; what it raises is no event's fault, so the
    projection waits and tries again. Raises ValueError for a name or table that breaks the rules.
    """

    name: str
    version: int
    tables: tuple[Table, ...]
    handlers: Mapping[type[Event], Handler]
    resolve: Resolver | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"projection '{self.name}': use lower-case letters, digits and underscores")
        for table in self.tables:
            check_table(table)

    @cached_property
    def types(self) -> tuple[str, ...]:
        """Return the stored names of the event types it handles."""
        return tuple(cls.TYPE for cls in self.handlers)

    def ops(self, envelope: Envelope[Any]) -> list[RowOp]:
        """Return the row operations of one event. Raises HandlerFailed; the event is then poison."""
        handler = self.handlers.get(type(envelope.event))
        if handler is None:
            return self._unhandled(envelope)
        try:
            return list(handler(envelope))
        except Exception as error:
            raise HandlerFailed(envelope.position, _where(error)) from error

    async def batch_ops(self, envelopes: Sequence[Envelope[Any]]) -> Sequence[RowOp]:
        """Return the completed operations of a batch. Raises HandlerFailed, and whatever `resolve` raises."""
        ops = [op for envelope in envelopes for op in self.ops(envelope)]
        return ops if self.resolve is None else await self.resolve(ops)

    def _unhandled(self, envelope: Envelope[Any]) -> list[RowOp]:
        if envelope.type in self.types:
            problem = getattr(envelope.event, "problem", "its class is not the registered one")
            raise HandlerFailed(envelope.position, f"undecodable {envelope.type}: {problem}")
        return []


def _where(error: Exception) -> str:
    """Name the error and its place, without its message, which may hold personal data."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    code = trace.tb_frame.f_code
    return (
        f"{type(error).__name__} in {code.co_name}, {code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
    )
