"""A peer as a process: started, frozen while a backlog is laid, timed to its last row, ended."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_PATIENCE: Final = 240.0


class Peer:
    """One running peer."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Poll a condition while the peer lives.

        :raises RuntimeError: it ended, or took too long; the message ends with its log.
        """
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{what} never came: {self._log.read_text(errors='replace')[-1500:]}")
            time.sleep(0.03)

    def timed(self, lay: Callable[[], None], condition: Callable[[], bool], what: str) -> float:
        """Seconds from the moment it may go on until the condition holds; ``lay`` runs while it is frozen."""
        self.freeze()
        lay()
        began = time.perf_counter()
        self._process.send_signal(signal.SIGCONT)
        self.wait_until(condition, what)
        return time.perf_counter() - began

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def end(self) -> None:
        """SIGTERM, then SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def peer(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
) -> Iterator[Peer]:
    """Run a peer for the length of a block."""
    with tempfile.NamedTemporaryFile(prefix="interactions-peer-", suffix=".log") as log:
        process = subprocess.Popen(
            list(arguments),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        running = Peer(process, Path(log.name))
        try:
            yield running
        finally:
            running.end()
