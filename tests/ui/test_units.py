"""The console's own unit tests, run by vitest with the Node of the wheel."""

from __future__ import annotations

import os
import subprocess

from infrastructure.web_build import NODE, WEB, install


def test_the_units_of_the_console_pass() -> None:
    install(print)
    environment = {**os.environ, "LC_ALL": "en_US.UTF-8", "TZ": "UTC", "NO_COLOR": "1"}
    command = [str(NODE), "node_modules/vitest/vitest.mjs", "run"]
    done = subprocess.run(command, cwd=WEB, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
