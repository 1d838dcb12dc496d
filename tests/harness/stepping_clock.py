"""A wall clock that a test can step in a running process, C libraries included (libfaketime)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def stepping_clock(offset: Path) -> dict[str, str]:
    """Variables for a process whose wall clock is off by what the file holds (``+3600``, in seconds).

    The file is read at each look at the clock. Clocks that count elapsed time are left alone, as a real
    step leaves them. Empty where there is no such library.
    """
    found = importlib.util.find_spec("libfaketime")
    if not sys.platform.startswith("linux") or found is None or found.origin is None:
        return {}
    library = Path(found.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
