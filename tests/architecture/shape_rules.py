"""Rules on size and on saying why: files, functions, docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from statistics import median

from tests.architecture.sources import Source, functions

FILE_LINES = 300
FUNCTION_LINES = 40
MEDIAN_FUNCTION_LINES = 12


def file_length(source: Source) -> Iterator[str]:
    """A file does one thing in at most 300 lines."""
    lines = source.text.count("\n")
    if lines > FILE_LINES:
        yield source.at(FILE_LINES, f"{lines} lines; at most {FILE_LINES}: split by idea")


def function_length(source: Source) -> Iterator[str]:
    """A function has at most 40 lines, docstring included."""
    for function in functions(source.tree):
        if (lines := length(function)) > FUNCTION_LINES:
            yield source.at(function, f"{function.name} has {lines} lines; at most {FUNCTION_LINES}")


def module_docstring(source: Source) -> Iterator[str]:
    """A module that holds code says in its first lines why it exists."""
    if source.tree.body and not ast.get_docstring(source.tree):
        yield source.at(1, "the module has no docstring; one sentence: why it exists")


def class_docstrings(source: Source) -> Iterator[str]:
    """A public class says why it exists."""
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node):
            yield source.at(node, f"class {node.name} has no docstring; one sentence: why it exists")


def median_function_length(sources: Iterable[Source]) -> Iterator[str]:
    """Half of all functions are shorter than 12 lines."""
    lengths = [length(function) for source in sources for function in functions(source.tree)]
    if lengths and (middle := median(lengths)) > MEDIAN_FUNCTION_LINES:
        yield f"the median function has {middle} lines; at most {MEDIAN_FUNCTION_LINES}"


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines from `def` to the last one."""
    return (function.end_lineno or function.lineno) - function.lineno + 1
