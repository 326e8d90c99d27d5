"""A fake provider in a process of its own, for tests whose own event loop is busy or absent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.product import ROOT


@contextmanager
def upstream_process(default: str = "ok") -> Iterator[str]:
    """Run the provider for the block; yields its URL. It speaks both dialects without a key."""
    argv = [sys.executable, "-m", "tests.fakes.upstream", "--port", "0", "--default", default]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
