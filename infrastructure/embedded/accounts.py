"""Chooses the unprivileged user a server runs as when we are root, and says what that user can reach."""

import os
import pwd
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from infrastructure.embedded.errors import ServiceStartError

# Between systemd's homed and nspawn ranges nobody hands out ids: see https://systemd.io/UIDS-GIDS/.
_UNCLAIMED_UIDS = range(60932, 61000)


@dataclass(frozen=True)
class Account:
    """The numeric user and group of a server; `switches` says whether that differs from our own."""

    uid: int
    gid: int

    @property
    def switches(self) -> bool:
        """Whether a server has to change its user before it starts."""
        return self.uid != os.geteuid()


def server_account(existing: Path) -> Account:
    """Our own user; as root the owner of `existing` (an earlier start's data) or an id that nobody has."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if existing.exists() and (owner := existing.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    uid = next((uid for uid in _UNCLAIMED_UIDS if not _has_name(uid)), None)
    if uid is None:
        raise ServiceStartError(
            f"every uid in {_UNCLAIMED_UIDS} is taken; start as an unprivileged user instead"
        )
    return Account(uid, uid)


def named_account(account: Account) -> Account:
    """An account that the user database knows, as initdb insists on: `account` itself or `nobody`'s."""
    if not account.switches or _has_name(account.uid):
        return account
    for name in ("nobody", "daemon"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise ServiceStartError(
        "this system has neither a user nobody nor daemon; start as an unprivileged user instead"
    )


def can_reach(path: Path, account: Account) -> bool:
    """Whether `account` may enter every folder above `path` and read `path` itself, by mode bits."""
    if not account.switches:
        return True
    real = Path(os.path.realpath(path))
    folders = {*path.absolute().parents, *real.parents}
    return all(_allows(folder, account, 1) for folder in folders) and _allows(real, account, 4)


def path_for_server(directory: Path, account: Account) -> str:
    """How the server names the folder it is started in.

    As root the folder may lie below one that only root may enter; the server is then started inside it and
    reaches it through the kernel's link to the working directory, which needs no right on the parents.
    """
    if account.switches and sys.platform.startswith("linux"):
        return "/proc/self/cwd"
    return str(directory)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _allows(path: Path, account: Account, bit: int) -> bool:
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid == account.uid:
        return bool(mode >> 6 & bit)
    if found.st_gid == account.gid:
        return bool(mode >> 3 & bit)
    return bool(mode & bit)
