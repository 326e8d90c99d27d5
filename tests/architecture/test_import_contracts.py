"""The import contracts of pyproject.toml break when a forbidden import is planted; `make check` runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import CONTEXTS, PACKAGES, ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

FORBIDDEN = [
    ("layers", "domain/usage/x.py", "import application"),
    ("layers", "application/usage/x.py", "import projections.usage"),
    ("layers", "projections/usage/x.py", "import application.usage"),
    ("layers", "application/usage/x.py", "import infrastructure"),
    ("layers", "projections/usage/x.py", "import infrastructure"),
    ("layers", "infrastructure/x.py", "import interfaces"),
    ("contexts", "domain/usage/x.py", "import domain.memory"),
    ("contexts", "application/usage/x.py", "import application.memory"),
    ("contexts", "projections/usage/x.py", "import projections.memory"),
    ("contexts", "domain/kernel/x.py", "import domain.usage"),
    ("contexts", "application/usage/x.py", "import application.processes"),
    ("composition", "interfaces/http/x.py", "import infrastructure"),
    ("composition", "interfaces/cli/x.py", "def f():\n    from infrastructure import shared"),
    ("vendors", "application/usage/x.py", "from sqlalchemy import text"),
]
ALLOWED = {
    "interfaces/composition.py": "import infrastructure.shared, application.bus, projections.usage",
    "interfaces/http/x.py": "import interfaces.composition, application.usage, projections.usage",
    "infrastructure/x.py": "import application.bus, projections.usage, domain.kernel",
    "application/processes/x.py": "import application.usage, application.memory",
    "application/usage/x.py": "import application.bus, domain.usage, domain.kernel",
    "projections/usage/x.py": "import domain.usage, domain.kernel",
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A tiny house with every package and context, and the real contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    rooms = [*PACKAGES, "domain/kernel", "application/processes", "interfaces/http", "interfaces/cli"]
    rooms += [f"{room}/{context}" for room in PACKAGES[:3] for context in CONTEXTS]
    for room in rooms:
        (tmp_path / room).mkdir(exist_ok=True)
        (tmp_path / room / "__init__.py").touch()
    for module in ("application/bus.py", "infrastructure/shared.py"):
        (tmp_path / module).touch()
    for module, text in ALLOWED.items():
        (tmp_path / module).write_text(text + "\n")
    return tmp_path


def lint_imports(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the contracts on the packages of a folder."""
    environment = {**os.environ, "COLUMNS": "200"}
    command = [str(LINT_IMPORTS), "--no-cache", "--no-logo", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_allowed_imports_pass(house: Path) -> None:
    done = lint_imports(house)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("contract", "path", "text"), FORBIDDEN)
def test_a_forbidden_import_breaks_its_contract(house: Path, contract: str, path: str, text: str) -> None:
    (house / path).with_name("planted.py").write_text(text + "\n")
    done = lint_imports(house, "--contract", contract)
    assert done.returncode == 1
    assert f"{path.replace('/', '.').removesuffix('x.py')}planted" in done.stdout
