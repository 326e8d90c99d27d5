"""What the house rules read: the repository's Python files with their syntax trees, and its tracked files."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("domain", "application", "projections", "infrastructure", "interfaces")
AROUND = ("tests", "benchmarks", "deploy")
CONTEXTS = (
    "tenancy",
    "orchestration",
    "memory",
    "knowledge",
    "workflows",
    "voice",
    "usage",
    "webhooks",
    "billing",
    "audit",
)
NOT_OURS = {"node_modules", "dist", "__pycache__"}


@dataclass(frozen=True)
class Source:
    """One Python file: where it is (relative to the repository) and what it says."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def read(cls, root: Path, file: Path) -> Source:
        """Parse a file below `root`."""
        text = file.read_text(encoding="utf-8")
        return cls(file.relative_to(root).as_posix(), text, ast.parse(text))

    @classmethod
    def of(cls, path: str, text: str) -> Source:
        """Make a source from text, as if it stood at `path`."""
        return cls(path, text, ast.parse(text))

    @property
    def parts(self) -> tuple[str, ...]:
        """The segments of the path, without `.py`."""
        return tuple(self.path.removesuffix(".py").split("/"))

    def at(self, node: ast.AST | int, message: str) -> str:
        """Return `path:line: message`."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return f"{self.path}:{line}: {message}"


def files_below(root: Path, folders: tuple[str, ...], *suffixes: str) -> list[Path]:
    """List our files with these suffixes, in order; what npm and Python put there is not ours."""
    found = (path for folder in folders for path in (root / folder).rglob("*") if path.suffix in suffixes)
    return sorted(path for path in found if not NOT_OURS.intersection(path.relative_to(root).parts))


def python_sources(root: Path, folders: tuple[str, ...]) -> list[Source]:
    """Parse every Python file of these folders."""
    return [Source.read(root, path) for path in files_below(root, folders, ".py")]


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Walk over every function, methods and nested ones included."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imported_modules(node: ast.AST) -> list[str]:
    """Return the modules that an import statement names (`from a import b` names `a` and `a.b`)."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    return []


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for such an expression, and an empty string for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return ""


def tracked_files(root: Path) -> list[str]:
    """List what git tracks, and what it would with the next `git add`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return sorted({name for name in listed.split("\0") if name and (root / name).is_file()})
