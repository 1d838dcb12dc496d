"""A wall clock that a test can step in a running process, its C libraries included.

A small library that is loaded first moves the clock of the day by what a shared file holds; clocks that
count elapsed time are left alone, as a real step leaves them.
"""

from __future__ import annotations

import functools
import shutil
import struct
import subprocess
import sys
from pathlib import Path


def stepping_clock(offset: Path) -> dict[str, str]:
    """Variables for a process whose wall clock is off by what :func:`step` last wrote into the file.

    Empty where no such library can be made: elsewhere than on Linux with glibc, or without a C compiler.

    :param offset: the library is made beside it.
    """
    library = _library(offset.parent)
    if library is None:
        return {}
    if not offset.exists():
        step(offset, 0)
    return {"LD_PRELOAD": library, "STEPPING_CLOCK": str(offset)}


def step(offset: Path, seconds: int) -> None:
    """Set the offset, in place: processes have the file mapped."""
    with offset.open("r+b" if offset.exists() else "wb") as file:
        file.write(struct.pack("=q", seconds))


@functools.cache
def _library(folder: Path) -> str | None:
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        return None
    made = folder / "stepping_clock.so"
    source = Path(__file__).with_suffix(".c")
    done = subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"],
        capture_output=True,
        check=False,
    )
    return str(made) if done.returncode == 0 else None
