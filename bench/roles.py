"""Role processes: start, pause while a backlog is published, measure, stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import orjson

from runtime.readiness import READY_FILE_VARIABLE, has_announced
from runtime.settings import Settings

_START_SECONDS: Final = 120.0


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until a condition holds.

    :raises TimeoutError: it does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"timed out after {seconds:g} s waiting until {what}")
        time.sleep(0.02)


def environment(settings: Settings) -> dict[str, str]:
    """Environment variables that give a child process the same servers and names."""
    assert settings.database_url is not None
    return {
        **os.environ,
        "INTERACTIONS_HOME": str(settings.home),
        "INTERACTIONS_DATABASE_URL": settings.database_url.get_secret_value(),
        "INTERACTIONS_KAFKA_BOOTSTRAP_SERVERS": str(settings.kafka_bootstrap_servers),
        "INTERACTIONS_SCHEMA_REGISTRY_URL": str(settings.schema_registry_url),
        "INTERACTIONS_TOPIC_PREFIX": settings.topic_prefix,
        "INTERACTIONS_CONSUMER_GROUP": settings.consumer_group,
    }


class RoleProcess:
    """One running role."""

    def __init__(self, settings: Settings, role: str, folder: Path, number: int) -> None:
        self.role = role
        self._log = folder / f"{role}-{number}.log"
        ready = folder / f"{role}-{number}.ready"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "run", role],
                env={**environment(settings), READY_FILE_VARIABLE: str(ready)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._ready = ready

    def log_tail(self) -> str:
        """Last part of its log."""
        return f"{self.role}: {self._log.read_text(errors='replace')[-1000:]}"

    @property
    def ready(self) -> bool:
        """Return whether the role is ready.

        :raises RuntimeError: the process has exited.
        """
        if self._process.poll() is not None:
            raise RuntimeError(f"exited with {self._process.returncode}: {self.log_tail()}")
        return has_announced(self._ready, self._process.pid)

    def is_leading(self) -> bool:
        """Return whether this relay is the leader."""
        return self.ready and "relay.leading" in self._log.read_text(errors="replace")

    def partitions(self) -> set[int]:
        """Partitions that an applier owns, from its log."""
        owned: set[int] = set()
        for line in self._log.read_bytes().splitlines():
            if b"applier.assigned" in line:
                owned.update(orjson.loads(line)["partitions"])
            elif b"applier.revoked" in line or b"applier.lost" in line:
                owned.difference_update(orjson.loads(line)["partitions"])
        return owned

    def freeze(self) -> None:
        """Pause the process (SIGSTOP); must stay shorter than the consumer group's session timeout."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume the process."""
        self._process.send_signal(signal.SIGCONT)

    def memory(self) -> dict[str, float]:
        """Memory in MiB: resident, peak resident, and proportional share (proc(5))."""
        kib = {}
        for name in ("status", "smaps_rollup"):
            for line in Path(f"/proc/{self._process.pid}/{name}").read_text().splitlines():
                field, _, rest = line.partition(":")
                if field in {"VmRSS", "VmHWM", "Pss"}:
                    kib[field] = int(rest.split()[0])
        return {
            "rss": kib["VmRSS"] / 1024,
            "rss_peak": kib["VmHWM"] / 1024,
            "pss": kib["Pss"] / 1024,
        }

    def processor_seconds(self) -> float:
        """Processor time so far, over all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """Kill the process (SIGKILL)."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Stop the process: SIGTERM, then SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            self.thaw()
            self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def running(settings: Settings, roles: Sequence[str]) -> Iterator[list[RoleProcess]]:
    """Run roles for the duration of a block, ready at its start; repeat a name for several processes."""
    with tempfile.TemporaryDirectory(prefix="interactions-bench-roles-") as folder:
        processes: list[RoleProcess] = []
        try:
            for number, role in enumerate(roles):
                processes.append(RoleProcess(settings, role, Path(folder), number))
            appliers = [process for process in processes if process.role == "applier"]
            relays = [process for process in processes if process.role == "relay"]
            wait_until(lambda: all(p.ready for p in processes), _START_SECONDS, "the roles are ready")
            wait_until(lambda: all(p.is_leading() for p in relays), _START_SECONDS, "the relay leads")
            wait_until(
                lambda: _all_assigned(appliers, settings.topic_partitions),
                _START_SECONDS,
                "every applier owns partitions",
            )
        except TimeoutError as error:
            raise TimeoutError("\n".join([str(error), *(p.log_tail() for p in processes)])) from None
        else:
            yield processes
        finally:
            for process in processes:
                process.end()


def _all_assigned(appliers: Sequence[RoleProcess], partitions: int) -> bool:
    owned = [process.partitions() for process in appliers]
    return not owned or (all(owned) and sum(map(len, owned)) == partitions == len(set().union(*owned)))
