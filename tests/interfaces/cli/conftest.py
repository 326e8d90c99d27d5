"""Runs commands in this process, since a new interpreter for each would take a second and more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from interfaces.cli.main import main
from tests.product import Product


@dataclass
class Done:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


class Commands:
    """The command line with the environment of the running product, or another one."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        env: Mapping[str, str],
    ) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        for name, value in env.items():
            monkeypatch.setenv(name, value)

    def __call__(self, *arguments: str, **env: str) -> Done:
        """Run a command with these variables changed."""
        with self._monkeypatch.context() as changed:
            changed.setattr("sys.argv", ["aios", *arguments])
            for name, value in env.items():
                changed.setenv(name, value)
            self._capsys.readouterr()
            try:
                main()
                status = 0
            except SystemExit as end:
                status = int(end.code or 0)
        printed = self._capsys.readouterr()
        return Done(status, printed.out, printed.err)

    def json(self, *arguments: str, **env: str) -> Any:
        """Run a command that must succeed and return the JSON it printed."""
        done = self(*arguments, "--json", **env)
        assert done.status == 0, done.out + done.err
        return json.loads(done.out)


@pytest.fixture
def cli(product: Product, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """The command line beside the running product."""
    return Commands(monkeypatch, capsys, product.env)
