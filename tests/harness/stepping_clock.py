"""Step the wall clock of a running process, C libraries included.

libfaketime adds the offset in a file to the realtime clock. Monotonic clocks do not change, as when a real
clock is stepped.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_LIBRARY: Final = "vendor/libfaketime/src/libfaketime.so.1"


def stepping_clock(offset: Path) -> dict[str, str]:
    """Environment variables for a process whose wall clock has the offset that :func:`step` last wrote.

    Empty where the packaged library does not work: it is made for Linux on x86-64.

    :param offset: offset file; its folder gets a scratch file at each step.
    """
    if not _works():
        return {}
    if not offset.exists():
        step(offset, 0)
    return _variables(offset)


def step(offset: Path, seconds: int) -> None:
    """Set the offset, in one step: processes read the file with every look at the clock."""
    scratch = offset.with_suffix(".new")
    scratch.write_text(f"{seconds:+d}\n")
    scratch.replace(offset)


def _variables(offset: Path) -> dict[str, str]:
    package = find_spec("libfaketime")
    assert package is not None
    assert package.origin is not None
    return {
        "LD_PRELOAD": str(Path(package.origin).parent / _LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@functools.cache
def _works() -> bool:
    """Look at the wall clock of a process that is a day ahead."""
    with tempfile.TemporaryDirectory() as folder:
        offset = Path(folder) / "clock"
        step(offset, 86_400)
        shown = subprocess.run(
            [sys.executable, "-c", "import time; print(time.time())"],
            env={**os.environ, **_variables(offset)},
            capture_output=True,
            check=False,
            text=True,
        )
    return shown.returncode == 0 and float(shown.stdout) > time.time() + 80_000
