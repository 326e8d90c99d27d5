"""Rules that keep the domain pure, and tests honest."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

from tests.architecture.sources import PACKAGES, Source, dotted, imported_modules

WORLD = re.compile(
    r"asyncio|builtins|ctypes|fcntl|ftplib|getpass|glob|http|imaplib|importlib|io|locale|logging|mmap"
    r"|multiprocessing|os|pathlib|pickle|platform|poplib|pty|queue|random|resource|sched|secrets|select"
    r"|selectors|shelve|shutil|signal|smtplib|socket|socketserver|sqlite3|ssl|subprocess|sys|syslog|tempfile"
    r"|termios|threading|time|tty|urllib|webbrowser|xmlrpc"
)
CLOCK_AND_CHANCE = re.compile(
    r"(.*\.)?(datetime\.(now|utcnow|today)|date\.today|uuid[14])|open|print|input|eval|exec|__import__"
)
PURE = {"domain", "msgspec"} | sys.stdlib_module_names
LIBRARY_OF_AGGREGATES = ("domain/kernel/aggregate.py", "eventsourcing.domain")


def pure_imports(source: Source) -> Iterator[str]:
    """The domain imports itself, msgspec and the part of the standard library that touches nothing."""
    for node in ast.walk(source.tree):
        for module in imported_modules(node)[:1]:
            top = module.partition(".")[0]
            if WORLD.fullmatch(top):
                yield source.at(
                    node, f"imports {module}, which touches the world; pass the value in as an argument"
                )
            elif top not in PURE and (source.path, module) != LIBRARY_OF_AGGREGATES:
                yield source.at(node, f"imports {module}; the domain knows the standard library and msgspec")


def no_clock_or_chance(source: Source) -> Iterator[str]:
    """The domain decides from its arguments: no clock, randomness or I/O."""
    for node in ast.walk(source.tree):
        name = dotted(node.func) if isinstance(node, ast.Call) else ""
        if CLOCK_AND_CHANCE.fullmatch(name):
            yield source.at(node, f"calls {name}(); pass the value in as an argument")


def no_patching(source: Source) -> Iterator[str]:
    """Tests use real parts or fakes; they do not patch our own code."""
    own = own_names(source.tree)
    for node in ast.walk(source.tree):
        if any(
            module.startswith(("unittest.mock", "mock", "pytest_mock")) for module in imported_modules(node)
        ):
            yield source.at(node, "imports a mock library; use a real part or a fake")
        if isinstance(node, ast.Call) and dotted(node.func) == "monkeypatch.setattr" and node.args:
            target = node.args[0]
            text = target.value if isinstance(target, ast.Constant) else dotted(target)
            if isinstance(text, str) and (text.split(".")[0] in own):
                yield source.at(node, f"patches {text}; give it a fake through its constructor instead")


def own_names(tree: ast.Module) -> set[str]:
    """Return the names by which a test file knows our packages and what it imported from them."""
    names = set(PACKAGES)
    for node in ast.walk(tree):
        ours = any(module.partition(".")[0] in PACKAGES for module in imported_modules(node))
        if ours and isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
    return names
