"""Roles as child processes, as an operator runs them; killed at the end of the test in any case."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from runtime.readiness import READY_FILE_VARIABLE, has_announced
from runtime.settings import ENV_PREFIX, Settings
from tests.harness.forked import Forked, start

START_SECONDS = 60.0


def environment(settings: Settings, **extra: str) -> dict[str, str]:
    """Environment variables that give a child process the same servers and names."""
    assert settings.database_url is not None
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("INTERACTIONS_")},
        "INTERACTIONS_HOME": str(settings.home),
        "INTERACTIONS_DATABASE_URL": settings.database_url.get_secret_value(),
        "INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS": str(settings.kafka_bootstrap_servers),
        "INTERACTIONS_SCHEMA_REGISTRY_URL": str(settings.schema_registry_url),
        "INTERACTIONS_TOPIC_PREFIX": settings.topic_prefix,
        "INTERACTIONS_CONSUMER_GROUP": settings.consumer_group,
        "INTERACTIONS_TOPIC_PARTITIONS": str(settings.topic_partitions),
        "INTERACTIONS_BATCH_SIZE": str(settings.batch_size),
        "INTERACTIONS_OVERDUE_AFTER_SECONDS": str(settings.overdue_after_seconds),
        **extra,
    }


class Role:
    """One running role."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for_log(self, text: str, seconds: float = START_SECONDS) -> None:
        """Wait until the log contains a text."""
        wait_until(lambda: text in self.log, seconds, lambda: f"{text!r} in the log:\n{self.log[-3000:]}")

    def wait_for_exit(self, seconds: float = START_SECONDS) -> int:
        return self.process.wait(seconds)

    def kill(self) -> None:
        """Kill the process (SIGKILL)."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(10)

    def stop(self, seconds: float = 30.0) -> int:
        """Stop the process (SIGTERM); returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(seconds)


@contextlib.contextmanager
def running(settings: Settings, role: str, module: str = "cli.main", **extra: str) -> Iterator[Role]:
    """Run a role for the duration of a block, which starts when the role is ready or has exited.

    :param module: module to run instead of the CLI, with its arguments.
    :param extra: further environment variables.
    """
    with (
        tempfile.NamedTemporaryFile(prefix=f"{role}-", suffix=".log") as log,
        tempfile.TemporaryDirectory(prefix=f"{role}-") as folder,
    ):
        ready = Path(folder) / "ready"
        variables = environment(settings, **{READY_FILE_VARIABLE: str(ready), **extra})
        process: subprocess.Popen[bytes] | Forked
        if module == "cli.main" and not any(map(_is_read_early, extra)):
            process = start(["run", role], variables, output=Path(log.name))
        else:
            process = subprocess.Popen(
                [sys.executable, "-m", *module.split(), "run", role],
                env=variables,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        child = Role(process, Path(log.name))
        try:
            wait_until(
                lambda: has_announced(ready, process.pid) or process.poll() is not None,
                START_SECONDS,
                lambda: f"{role} to be ready:\n{child.log[-3000:]}",
            )
            yield child
        finally:
            if process.poll() is None:
                child.process.send_signal(signal.SIGCONT)
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    child.kill()
            print(
                f"--- {role} (exit {process.poll()}) ---\n{child.log[-4000:]}"
            )  # pytest shows it on failure


def _is_read_early(name: str) -> bool:
    """True for variables of the interpreter, the loader and the crash points: read before or at an import."""
    return not name.startswith(ENV_PREFIX) or name in ("INTERACTIONS_TEST_BUILD", "INTERACTIONS_CRASH_POINT")


def wait_until(
    condition: Callable[[], bool], seconds: float, explain: Callable[[], str] | None = None
) -> None:
    """Poll a condition until it holds.

    :raises AssertionError: it does not hold in time; ``explain`` gives the last observed state.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out after {seconds} s: {explain() if explain else 'the condition'}")
        time.sleep(0.05)
