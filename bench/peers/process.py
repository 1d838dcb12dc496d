"""A peer process: start, pause while a backlog is published, time to its last row, stop."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.processor_time import of_process, of_servers
from runtime.settings import Settings

_TIMEOUT: Final = 240.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Duration of a backlog, and processor seconds of the peer, Postgres and Kafka."""

    seconds: float
    processor_seconds: float


class Peer:
    """One running peer."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Poll until a condition holds, while the peer runs.

        :raises RuntimeError: the peer exited, or the time ran out; the message ends with its log.
        """
        deadline = time.monotonic() + _TIMEOUT
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{what}: not reached: {self._log.read_text(errors='replace')[-1500:]}")
            time.sleep(0.03)

    def timed(
        self,
        settings: Settings,
        publish_backlog: Callable[[], None],
        condition: Callable[[], bool],
        what: str,
    ) -> Timing:
        """Publish a backlog while the peer is paused, and time from resuming it until the condition holds."""
        self.freeze()
        publish_backlog()
        used, began = self._used(settings), time.perf_counter()
        self._process.send_signal(signal.SIGCONT)
        self.wait_until(condition, what)
        return Timing(time.perf_counter() - began, self._used(settings) - used)

    def _used(self, settings: Settings) -> float:
        return of_process(self._process.pid) + of_servers(settings)

    def freeze(self) -> None:
        """Pause the process (SIGSTOP): it keeps its connections and responds to nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def end(self) -> None:
        """Stop the process: SIGTERM, then SIGKILL."""
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
    """Run a peer for the duration of a block."""
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
