"""A second real CalDAV server (Xandikos), which stores every object byte for byte."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caldav.collection import Calendar
from caldav.davclient import DAVClient

from tests.providers.linked import LossyTransport
from tests.providers.radicale_server import USER


@dataclass(frozen=True, slots=True)
class XandikosServer:
    """A running server; the proxy in front of it handles authentication.

    :param url: base URL, without a path.
    :param folder: folder of its storage.
    """

    url: str
    folder: Path

    def client(self) -> DAVClient:
        """The second client."""
        return DAVClient(url=self.url)

    def new_calendar(self, name: str, **options: Any) -> Calendar:
        """Create an empty calendar with the second client."""
        client: Any = self.client()
        made: Calendar = client.principal().make_calendar(name=name, **options)
        return made

    def stored(self, calendar: Calendar) -> int:
        """Number of objects of the calendar on the server's disk."""
        return len(list(self._home_of(calendar).glob("*.ics")))

    @contextlib.contextmanager
    def moved_away(self, calendar: Calendar) -> Iterator[None]:
        """Remove the calendar for the duration of the block."""
        here, away = self._home_of(calendar), self.folder.parent / "away"
        here.rename(away)
        try:
            yield
        finally:
            away.rename(here)

    def _home_of(self, calendar: Calendar) -> Path:
        return self.folder / USER / "calendars" / str(calendar.url).rstrip("/").rpartition("/")[2]

    def locked_out(self, transport: LossyTransport) -> AbstractContextManager[None]:
        """Let the proxy refuse the credentials for the duration of the block."""
        return transport.refused()


@contextlib.contextmanager
def xandikos() -> Iterator[XandikosServer]:
    """Run a server on a free loopback port with a new folder."""
    with tempfile.TemporaryDirectory(prefix="xandikos-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        log = Path(folder) / "log"
        command = [sys.executable, "-m", "xandikos", "serve", "--no-detect-systemd", "--defaults"]
        command += ["--listen-address", "127.0.0.1", "--port", str(port), "--directory", f"{folder}/dav"]
        command += ["--state-dir", f"{folder}/state", "--current-user-principal", f"/{USER}/"]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
            try:
                _wait(process, port, log)
                yield XandikosServer(f"http://127.0.0.1:{port}", Path(folder) / "dav")
            finally:
                process.terminate()
                process.wait(20)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, f"xandikos ended: {log.read_text()}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < deadline, f"xandikos did not listen within 60 s: {log.read_text()}"
        time.sleep(0.02)
