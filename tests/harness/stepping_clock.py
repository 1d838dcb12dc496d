"""Step the wall clock of a running process, C libraries included.

A preloaded library adds the offset in a shared file to the realtime clock. Monotonic clocks are unchanged, as
in a real clock step.
"""

from __future__ import annotations

import functools
import shutil
import struct
import subprocess
import sys
from pathlib import Path


def stepping_clock(offset: Path) -> dict[str, str]:
    """Environment variables for a process whose wall clock has the offset that :func:`step` last wrote.

    Empty where the library cannot be built: without Linux and glibc, or without a C compiler.

    :param offset: offset file; the library is built in its folder.
    """
    library = _library(offset.parent)
    if library is None:
        return {}
    if not offset.exists():
        step(offset, 0)
    return {"LD_PRELOAD": library, "STEPPING_CLOCK": str(offset)}


def step(offset: Path, seconds: int) -> None:
    """Write the offset in place, because processes have the file mapped."""
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
