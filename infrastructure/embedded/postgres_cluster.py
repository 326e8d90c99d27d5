"""Creates PostgreSQL's data directory and writes the settings and the access rules it starts with."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from infrastructure.embedded.accounts import Account, named_account, path_for_server
from infrastructure.embedded.errors import ServiceStartError
from infrastructure.embedded.paths import write_private
from infrastructure.embedded.postgres_endpoint import ADMIN

# For a laptop with two cores and 8 GB. wal_recycle=off and wal_init_zero=on: no old byte of an erased person
# is kept in a recycled log file. Log lines carry no statement and no detail, so no personal data. A client
# that gives up while it logs in can hold a server process, and DROP DATABASE, for authentication_timeout.
_SETTINGS = {
    "max_connections": "400",
    "authentication_timeout": "15s",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_locks_per_transaction": "256",
    "dynamic_shared_memory_type": "posix",
    "random_page_cost": "1.1",
    "fsync": "on",
    "wal_recycle": "off",
    "wal_init_zero": "on",
    "wal_compression": "pglz",
    "min_wal_size": "80MB",
    "max_wal_size": "1GB",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "iso, ymd",
    "lc_messages": "C",
    "default_text_search_config": "pg_catalog.english",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] ",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}


def create_cluster(data: Path, programs: Path, password: str, account: Account) -> None:
    """Fill `data` by initdb (SCRAM, UTF-8, checksums) unless it is; in one step, owned by `account`."""
    if (data / "PG_VERSION").exists():
        return
    for left in data.parent.glob("draft-*"):
        shutil.rmtree(left, ignore_errors=True)
    maker = named_account(account)
    # A name of its own: an initdb that outlived its killed starter must not write into ours.
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=data.parent))
    os.chown(draft, maker.uid, maker.gid)
    for ctype in ("C.UTF-8", "C"):
        result = _initdb(draft, programs, password, maker, ctype)
        if result.returncode == 0 or "locale" not in result.stderr:
            break
    if result.returncode != 0:
        raise ServiceStartError(f"initdb failed: {result.stderr.strip() or result.stdout.strip()}")
    if maker != account:
        for path in (draft, *draft.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    draft.rename(data)


def _initdb(
    draft: Path, programs: Path, password: str, maker: Account, ctype: str
) -> "subprocess.CompletedProcess[str]":
    with tempfile.TemporaryFile("w") as secret:
        secret.write(password + "\n")
        secret.seek(0)
        if maker.switches:
            os.fchown(secret.fileno(), maker.uid, maker.gid)
        return subprocess.run(
            [
                str(programs / "initdb"),
                f"--pgdata={path_for_server(draft, maker)}",
                f"--username={ADMIN}",
                f"--pwfile=/dev/fd/{secret.fileno()}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                f"--lc-ctype={ctype}",
                "--data-checksums",
                "--no-instructions",
            ],
            cwd=draft,
            env={"PATH": os.defpath},
            pass_fds=[secret.fileno()],
            user=maker.uid if maker.switches else None,
            group=maker.gid if maker.switches else None,
            extra_groups=[] if maker.switches else None,
            capture_output=True,
            text=True,
            check=False,
        )


def write_settings(data: Path, account: Account, settings: dict[str, str], *, tcp: bool) -> None:
    """Write postgresql.conf (ours, then `settings`) and pg_hba.conf: SCRAM only; TCP only if `tcp`."""
    listening = {"listen_addresses": "127.0.0.1" if tcp else "", "unix_socket_permissions": "0600"}
    lines = [f"{name} = {_quoted(value)}" for name, value in {**_SETTINGS, **listening, **settings}.items()]
    write_private(data / "postgresql.conf", "\n".join(lines) + "\n", account.uid)
    rules = ["local all all scram-sha-256"]
    if tcp:
        rules.append("host all all 127.0.0.1/32 scram-sha-256")
    write_private(data / "pg_hba.conf", "\n".join(rules) + "\n", account.uid)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def clear_traces(data: Path, sockets: Path) -> None:
    """Remove what a killed server left behind; only for when no process of it lives."""
    (data / "postmaster.pid").unlink(missing_ok=True)
    for left in sockets.glob(".s.PGSQL.*"):
        left.unlink(missing_ok=True)
