#!/bin/sh
# Rewrites the three lock files from their .in files: versions and hashes only, for every supported Python
# and platform. Arguments go to `uv pip compile`, for instance `deploy/lock.sh --upgrade-package litestar`.
set -eu
cd "$(dirname -- "$0")/.."

lock() {
    name=$1
    shift
    printf '==> %s.lock\n' "$name"
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links --excludes requirements.excludes \
        --output-file "$name.lock" "$name.in" "$@"
}

lock requirements-bootstrap "$@"
lock requirements --constraints requirements-bootstrap.lock "$@"
lock requirements-dev --constraints requirements.lock "$@"

.venv/bin/python -m deploy.lock_web
