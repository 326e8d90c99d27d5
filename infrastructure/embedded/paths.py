"""Makes directories that only their owner can enter, and socket directories short enough for the kernel."""

import hashlib
import os
import stat
from pathlib import Path

from infrastructure.embedded.errors import PrivatePathError

# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included.
LONGEST_SOCKET_PATH = 103
_SHORT_ROOTS = (Path("/tmp"), Path("/var/tmp"), Path("/run"))  # noqa: S108 - only a verified 0700 folder below is used


def private_directory(path: Path, owner: int | None = None) -> Path:
    """Create `path` (and missing parents), mode 0700, owned by `owner` (default: this user), and verify it.

    A directory of ours with a wider mode is narrowed. Parents that exist are never changed. Raises
    PrivatePathError when the path is a link, not a directory, or belongs to somebody else.
    """
    expected = os.geteuid() if owner is None else owner
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        created = _make(path)
        if created and expected != os.geteuid():
            os.chown(path, expected, expected, follow_symlinks=False)
    except OSError as error:
        raise PrivatePathError(f"cannot create the private directory {path}: {error.strerror}") from error
    _verify(path, expected)
    return path


def _make(path: Path) -> bool:
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return False
    return True


def _verify(path: Path, owner: int) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise PrivatePathError(f"{path} is not a directory (links are not followed); remove it")
    if found.st_uid != owner:
        message = f"{path} belongs to uid {found.st_uid}, not to uid {owner}"
        raise PrivatePathError(
            f"{message}; start as that user, or set AIOS_DATA_DIR to a directory of your own"
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)


def socket_directory(preferred: Path, socket_name: str, owner: int | None = None) -> Path:
    """A private directory in which a unix socket `socket_name` has a path the kernel accepts.

    `preferred` itself when its path is short enough (it must exist by then), else a 0700 directory below a
    short root whose name is a hash of `preferred`, so that every process finds the same one. Raises
    PrivatePathError when no root can hold one.
    """
    preferred = Path(os.path.realpath(preferred))
    if len(os.fsencode(preferred / socket_name)) <= LONGEST_SOCKET_PATH:
        return preferred
    name = "aios-" + hashlib.sha256(os.fsencode(preferred)).hexdigest()[:24]
    reasons = []
    for root in _SHORT_ROOTS:
        try:
            return private_directory(root / name, owner)
        except PrivatePathError as error:
            reasons.append(str(error))
    raise PrivatePathError("no private place for a socket with a short path: " + "; ".join(reasons))


def write_private(path: Path, content: str, owner: int | None = None) -> None:
    """Replace the file `path` by `content` in one step, mode 0600, owned by `owner` when given."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        if owner is not None and owner != os.geteuid():
            os.fchown(fd, owner, owner)
        file.write(content)
        file.flush()
        os.fsync(fd)
    draft.replace(path)
