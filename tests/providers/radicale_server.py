"""A real CalDAV server (Radicale) with one user, and a real second client."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from caldav.collection import Calendar
from caldav.davclient import DAVClient

USER: Final = "ada"
PASSWORD: Final = "a secret of radicale"


@dataclass(frozen=True, slots=True)
class RadicaleServer:
    """A running server.

    :param url: base URL, without a path.
    :param folder: folder of its users and its storage.
    """

    url: str
    folder: Path

    def client(self) -> DAVClient:
        """The second client: the `caldav` library, authenticated."""
        return DAVClient(url=self.url, username=USER, password=PASSWORD)

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
        here, away = self._home_of(calendar), self.folder / "away"
        here.rename(away)
        try:
            yield
        finally:
            away.rename(here)

    def _home_of(self, calendar: Calendar) -> Path:
        name = str(calendar.url).rstrip("/").rpartition("/")[2]
        return self.folder / "collections" / "collection-root" / USER / name

    @contextlib.contextmanager
    def locked_out(self, _transport: object = None) -> Iterator[None]:
        """Change the password for the duration of the block."""
        (self.folder / "users").write_text(f"{USER}:another password\n")
        try:
            yield
        finally:
            (self.folder / "users").write_text(f"{USER}:{PASSWORD}\n")


@contextlib.contextmanager
def radicale() -> Iterator[RadicaleServer]:
    """Run a server on a free loopback port with a new folder."""
    with tempfile.TemporaryDirectory(prefix="radicale-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        users = Path(folder) / "users"
        users.write_text(f"{USER}:{PASSWORD}\n")
        config = Path(folder) / "config"
        config.write_text(
            f"[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = htpasswd\nhtpasswd_filename = {users}\n"
            "htpasswd_encryption = plain\ndelay = 0\n"
            f"[storage]\nfilesystem_folder = {folder}/collections\n[logging]\nlevel = warning\n"
        )
        log = (Path(folder) / "log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "radicale", "--config", str(config)], stdout=log, stderr=log
        )
        try:
            _wait(process, port, Path(folder) / "log")
            yield RadicaleServer(f"http://127.0.0.1:{port}", Path(folder))
        finally:
            process.terminate()
            process.wait(20)
            log.close()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, f"radicale ended: {log.read_text()}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < deadline, f"radicale did not listen within 30 s: {log.read_text()}"
        time.sleep(0.02)
