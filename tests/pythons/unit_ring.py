"""The unit ring passes on every supported Python of this machine.

Each other Python gets its own environment inside ``.venv``, from the same lock file, reused between runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = [f"python3.{minor}" for minor in range(11, 15)]

pytestmark = pytest.mark.timeout(1200)


def candidates() -> Iterator[Path]:
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for folder in chain(folders, [Path("/usr/bin"), Path("/usr/local/bin")], pyenv.glob("versions/*/bin")):
        for name in NAMES:
            if os.access(folder / name, os.X_OK):
                yield folder / name


def version_of(python: Path) -> str | None:
    """Full version, or ``None`` for a wrapper whose Python is not installed."""
    asked = subprocess.run(
        [python, "-c", "import platform; print(platform.python_version())"],
        check=False, capture_output=True, text=True, cwd="/",
    )  # fmt: skip
    return asked.stdout.strip() if asked.returncode == 0 else None


def other_pythons() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for python in candidates():
        version = version_of(python)
        if version is not None and version != sys.version.split()[0]:
            found.setdefault(version, python)
    return found


OTHERS = other_pythons()


@pytest.mark.parametrize("version", sorted(OTHERS) or ["none"])
def test_the_unit_ring_passes(version: str) -> None:
    if version == "none":
        pytest.skip(f"this machine has no other Python of {', '.join(NAMES)}")
    uv = Path(sys.executable).with_name("uv")
    environment = ROOT / ".venv" / "pythons" / version
    python = environment / "bin" / "python"
    if not python.exists():
        run(uv, "venv", "--quiet", "--python", OTHERS[version], environment)
    run(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, "requirements.lock")
    run(uv, "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--python", python,
        "--editable", ".")  # fmt: skip
    run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n2", "--dist=loadfile", "tests/unit")


def run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
