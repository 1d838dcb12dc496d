"""Start the command line by a fork of a process that has imported it already.

A role spends about two seconds of processor time on its imports, and the suite starts hundreds of roles. The
fork server imports once; each child runs ``cli.main`` with its own arguments and environment.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

ROOT: Final = Path(__file__).parents[2]
AVAILABLE: Final = hasattr(os, "pidfd_open")
_MOST_BYTES: Final = 1 << 20
_IMPORTED: Final = ("cli.run", "streams.run_role", "api.serve", "connectors.service.process", "audit.run")


class ForkedProcess:
    """A running command, with the part of ``subprocess.Popen`` that the tests use."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server = server
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Exit code; ``None`` while the process runs. A signal's number is negative."""
        if self.returncode is None:
            self.returncode = self._server.exit_code(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end.

        :raises subprocess.TimeoutExpired: it did not end in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and timeout is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """Client of one server process, which ends with this process and kills its children."""

    def __init__(self) -> None:
        # One packet is one message, so that none waits in a buffer that a selector does not see.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.harness.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
            )
        self._socket = ours
        self._lock = threading.Lock()
        self._codes: dict[int, int] = {}

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]
    ) -> ForkedProcess:
        """Run ``interactions`` with these arguments; standard output and error go to the log."""
        request = {"arguments": list(arguments), "environment": dict(environment), "log": log.name}
        with self._lock:
            self._socket.sendall(json.dumps(request).encode())
            while True:
                message = self._receive()
                if "started" in message:
                    return ForkedProcess(self, message["started"])

    def exit_code(self, pid: int) -> int | None:
        """Exit code of a child; ``None`` while it runs."""
        with self._lock:
            while pid not in self._codes and select.select([self._socket], [], [], 0)[0]:
                self._receive()
            return self._codes.get(pid)

    def close(self) -> None:
        """End the server, and with it every child that still runs."""
        self._socket.close()
        self._process.wait(10)

    def _receive(self) -> dict[str, Any]:
        packet = self._socket.recv(_MOST_BYTES)
        assert packet, "the fork server has ended"
        message: dict[str, Any] = json.loads(packet)
        if "ended" in message:
            self._codes[message["ended"]] = message["code"]
        return message


@cache
def fork_server() -> ForkServer:
    """Fork server of this process, started by the first call."""
    return ForkServer()


def _serve(server: socket.socket) -> list[str]:
    """Fork on request; return in the child, with its arguments."""
    children: dict[int, int] = {}  # pidfd → pid
    with selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not server:
                    pid = children.pop(key.fd)
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    server.sendall(json.dumps({"ended": pid, "code": code}).encode())
                    continue
                packet = server.recv(_MOST_BYTES)
                if not packet:
                    for pid in children.values():
                        os.kill(pid, signal.SIGKILL)
                    os._exit(0)
                request = json.loads(packet)
                pid = os.fork()
                if pid == 0:
                    _become(request, [server.detach(), *children])
                    return list(request["arguments"])
                handle = os.pidfd_open(pid)
                children[handle] = pid
                selector.register(handle, selectors.EVENT_READ)
                server.sendall(json.dumps({"started": pid}).encode())


def _become(request: dict[str, Any], inherited: Sequence[int]) -> None:
    """Give the child descriptors and environment of its own; read again what depends on the environment."""
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for descriptor in (log, *inherited):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    importlib.reload(importlib.import_module("runtime.crash_points"))


def _main() -> None:
    server = socket.socket(fileno=int(sys.argv[1]))
    for name in _IMPORTED:
        importlib.import_module(name)
    command_line = importlib.import_module("cli.main")
    sys.argv = ["interactions", *_serve(server)]
    command_line.main()


if __name__ == "__main__":
    _main()
