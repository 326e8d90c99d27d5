"""Rules on names: the same contexts in every room, events in the past tense, commands as wishes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.sources import CONTEXTS, Source

ROOMS = {
    "domain": {*CONTEXTS, "kernel"},
    "application": {*CONTEXTS, "processes"},
    "projections": {*CONTEXTS},
}
PAST_TENSE = re.compile(
    r"(ed|Set|Sent|Put|Cut|Held|Lost|Begun|Built|Won|Paid|Kept|Met|Frozen|Withdrawn|Taken|Given|Written|Known"
    r"|Spent|Left|Run|Made)$"
)
NOT_A_WISH = re.compile(r"(Command|Event|[a-z]ed)$")


def rooms(source: Source) -> Iterator[str]:
    """The second path segment is a bounded context, the kernel, or the processes between contexts."""
    allowed = ROOMS.get(source.parts[0])
    if allowed and len(source.parts) > 2 and source.parts[1] not in allowed:
        yield source.at(1, f"'{source.parts[1]}' is not a context; known: {', '.join(sorted(allowed))}")


def events_in_the_past_tense(source: Source) -> Iterator[str]:
    """An event is a past-tense class, and its stored name begins with its context."""
    if source.parts[0] != "domain" or source.parts[1] not in CONTEXTS:
        return
    for node in classes_of(source, "Event"):
        if not PAST_TENSE.search(node.name):
            yield source.at(node, f"event {node.name} is not in the past tense")
        stored = stored_name(node)
        if stored is not None and not stored.startswith(f"{source.parts[1]}."):
            yield source.at(node, f"TYPE {stored!r} does not begin with its context '{source.parts[1]}.'")


def commands_as_wishes(source: Source) -> Iterator[str]:
    """A command is a wish: an imperative without suffix."""
    for node in classes_of(source, "Command"):
        if NOT_A_WISH.search(node.name):
            yield source.at(node, f"command {node.name} is not named as a wish (SetModelPolicy, PurgeMemory)")


def handlers_end_in_their_table(source: Source) -> Iterator[str]:
    """application/<context>/handlers.py ends in HANDLERS, its table of contents."""
    if source.parts[0] == "application" and source.parts[-1] == "handlers" and source.parts[1] in CONTEXTS:
        last = source.tree.body[-1] if source.tree.body else None
        targets = last.targets if isinstance(last, ast.Assign) else [getattr(last, "target", None)]
        if not any(isinstance(target, ast.Name) and target.id == "HANDLERS" for target in targets):
            yield source.at(last or 1, "does not end in HANDLERS = {Command: handler, ...}")


def classes_of(source: Source, base: str) -> list[ast.ClassDef]:
    """Return the module's public classes that name `base` among their bases."""
    return [
        node
        for node in source.tree.body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and any(isinstance(parent, ast.Name) and parent.id == base for parent in node.bases)
    ]


def stored_name(node: ast.ClassDef) -> str | None:
    """Return the value of TYPE, when the class sets it to a literal."""
    for statement in node.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            if isinstance(target, ast.Name) and target.id == "TYPE":
                return str(statement.value.value) if isinstance(statement.value, ast.Constant) else None
    return None
