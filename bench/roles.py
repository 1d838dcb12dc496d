"""Roles of the pipeline as processes: started, frozen while a backlog is laid, measured, stopped."""

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
    """Poll a condition.

    :raises TimeoutError: it did not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


def environment(settings: Settings) -> dict[str, str]:
    """The variables by which a child process sees the same servers and names."""
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
    """One running role of the product."""

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
        """The last lines it logged."""
        return f"{self.role}: {self._log.read_text(errors='replace')[-1000:]}"

    @property
    def ready(self) -> bool:
        """Whether it does its work.

        :raises RuntimeError: it has ended.
        """
        if self._process.poll() is not None:
            raise RuntimeError(f"ended with {self._process.returncode}: {self.log_tail()}")
        return has_announced(self._ready, self._process.pid)

    def leads(self) -> bool:
        """Whether a relay publishes."""
        return self.ready and "relay.leading" in self._log.read_text(errors="replace")

    def partitions(self) -> set[int]:
        """The partitions that an applier owns, by its log."""
        owned: set[int] = set()
        for line in self._log.read_bytes().splitlines():
            if b"applier.assigned" in line:
                owned.update(orjson.loads(line)["partitions"])
            elif b"applier.revoked" in line or b"applier.lost" in line:
                owned.difference_update(orjson.loads(line)["partitions"])
        return owned

    def freeze(self) -> None:
        """Stop it where it is (SIGSTOP); shorter than a session of Kafka's."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def memory(self) -> dict[str, float]:
        """MiB: resident now and at most so far, and the proportional share of it (proc(5))."""
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
        """Processor time so far, of all its threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """SIGTERM, then SIGKILL."""
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
    """Run roles (a name as often as it is wanted) until the block ends; they are at work when it begins."""
    with tempfile.TemporaryDirectory(prefix="interactions-bench-roles-") as folder:
        processes: list[RoleProcess] = []
        try:
            for number, role in enumerate(roles):
                processes.append(RoleProcess(settings, role, Path(folder), number))
            appliers = [process for process in processes if process.role == "applier"]
            relays = [process for process in processes if process.role == "relay"]
            wait_until(lambda: all(p.ready for p in processes), _START_SECONDS, "the roles are ready")
            wait_until(lambda: all(p.leads() for p in relays), _START_SECONDS, "the relay leads")
            wait_until(
                lambda: _shared_out(appliers, settings.topic_partitions),
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


def _shared_out(appliers: Sequence[RoleProcess], partitions: int) -> bool:
    owned = [process.partitions() for process in appliers]
    return not owned or (all(owned) and sum(map(len, owned)) == partitions == len(set().union(*owned)))
