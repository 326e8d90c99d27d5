#!/bin/sh
# Finds a Python that can carry the environment and hands over to bootstrap.py (see there for the arguments).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
probe='import sys, ensurepip, fcntl, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'

for python in "$root/.venv/bin/python" "${AIOS_PYTHON:-python3}" python3 python3.13 python3.12 python3.11; do
    if "$python" -c "$probe" >/dev/null 2>&1; then
        cd "$root"
        exec "$python" -m deploy.bootstrap "$@"
    fi
done

{
    echo "No suitable Python found: AIOS needs Python 3.11, 3.12 or 3.13 with its venv and ensurepip modules."
    for python in "${AIOS_PYTHON:-python3}" python3 python3.13 python3.12 python3.11; do
        found=$("$python" -c 'import sys; print(sys.executable, "is", sys.version.split()[0])' 2>/dev/null) || continue
        missing=$("$python" -c 'import ensurepip, venv' 2>&1 | tail -n 1)
        echo "  $found${missing:+, but $missing}"
    done
    echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv), or name one: AIOS_PYTHON=/path/to/python3"
} >&2
exit 1
