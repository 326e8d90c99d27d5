"""Turns into another program that gets SIGTERM when its parent dies (Linux; elsewhere it just becomes it).

Run as a script: `python -I -S die_with_parent.py PARENT_PID PROGRAM ARGUMENT...`. A program of its own:
asking the kernel between fork and exec is not safe in a parent with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, make sure that the parent still lives, and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    try:
        os.execvp(program[0], program)  # noqa: S606 - becoming it is the purpose
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
