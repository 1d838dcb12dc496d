"""The account that Postgres runs under when the supervisor is root (Postgres refuses to be root)."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import Stop

_NAMES = ("postgres", "pgserver")


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its main group, by number."""

    uid: int
    gid: int


def server_account() -> Account | None:
    """The account to use: ``None`` unless this process is root; made with ``useradd`` when none is there.

    :raises Stop: no account exists and none can be made.
    """
    if os.geteuid() != 0:
        return None
    for name in _NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    if shutil.which("useradd") is None:
        raise Stop(
            "Postgres cannot run as root, and there is neither a user `postgres` nor the program `useradd` "
            "to make one. Run this as another user, or add a user `postgres`."
        )
    subprocess.run(["useradd", "--system", "--shell", "/usr/sbin/nologin", _NAMES[-1]], check=True)
    entry = pwd.getpwnam(_NAMES[-1])
    return Account(entry.pw_uid, entry.pw_gid)


def let_traverse(path: Path) -> None:
    """Let other users pass through (not list) the folders above ``path``, where they cannot yet."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def let_read(tree: Path) -> None:
    """Let other users read a tree of program files, where they cannot yet."""
    for path in (tree, *tree.rglob("*")):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        runnable = stat.S_IXOTH if path.is_dir() or mode & stat.S_IXUSR else 0
        wanted = stat.S_IMODE(mode) | stat.S_IROTH | runnable
        if wanted != stat.S_IMODE(mode):
            path.chmod(wanted)
