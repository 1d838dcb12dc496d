"""The OS user that Postgres runs as when the supervisor is root (Postgres refuses to run as root)."""

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
class OsUser:
    """A user and its primary group."""

    uid: int
    gid: int


def server_os_user() -> OsUser | None:
    """The user to run Postgres as, created if necessary; ``None`` unless this process is root.

    :raises Stop: there is no such user, and none can be created.
    """
    if os.geteuid() != 0:
        return None
    for name in _NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return OsUser(entry.pw_uid, entry.pw_gid)
    if shutil.which("useradd") is None:
        raise Stop(
            "Postgres cannot run as root, and there is neither a user `postgres` nor the program `useradd` "
            "to create one. Run this as an ordinary user, or add a user `postgres`."
        )
    subprocess.run(["useradd", "--system", "--shell", "/usr/sbin/nologin", _NAMES[-1]], check=True)
    entry = pwd.getpwnam(_NAMES[-1])
    return OsUser(entry.pw_uid, entry.pw_gid)


def closed_folders(path: Path) -> list[Path]:
    """Folders above ``path`` that other users cannot search, nearest first."""
    parents = [folder for folder in path.resolve().parents if folder.exists()]
    return [folder for folder in parents if not folder.stat().st_mode & stat.S_IXOTH]


def open_home(home: Path, data: Path) -> None:
    """Let the Postgres user search (not list) the home, down to ``data``.

    :raises Stop: a folder above the home is closed. Its permissions are its owner's decision.
    """
    outside = [folder for folder in closed_folders(data) if not folder.is_relative_to(home.resolve())]
    if outside:
        raise Stop(
            f"Postgres does not run as root, and its user cannot search {_listed(outside)}."
            " Nothing was changed. Set INTERACTIONS_HOME to a folder that other users can search (for"
            " example under /var/tmp), run this as an ordinary user, or open the folder yourself:"
            f" chmod o+x {_listed(outside, ' ')}"
        )
    for folder in closed_folders(data):
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)


def usable_by_others(tree: Path) -> bool:
    """True if every user can read and execute a tree of program files."""
    if closed_folders(tree):
        return False
    for path in (tree, *tree.rglob("*")):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        runnable = stat.S_IXOTH if path.is_dir() or mode & stat.S_IXUSR else 0
        if ~mode & (stat.S_IROTH | runnable):
            return False
    return True


def copy_for_others(tree: Path, target: Path) -> None:
    """Copy a tree of program files and make it readable by every user. An interrupted copy is redone."""
    if target.exists():
        return
    scratch = target.with_name(f"{target.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(tree, scratch, symlinks=True)
    for path in (scratch, *scratch.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    scratch.rename(target)


def _listed(folders: list[Path], separator: str = ", ") -> str:
    return separator.join(str(folder) for folder in folders)
