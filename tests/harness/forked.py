"""Start processes of the product without the cost of its imports: forked from a server that has done them.

A process with an interpreter of its own imports for two seconds, and a test run starts hundreds. Everything
after the imports is the same: environment, arguments, standard streams, signals, exit code.
"""

from __future__ import annotations

import gc
import inspect
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Final

from cli import main as cli

_CONTEXT: Final[ForkServerContext] = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "api.serve",
        "connectors.service.process",
        "streams.run_role",
        *(f"cli.{module}" for module in dict.fromkeys(cli.MODULES.values())),
        __name__,  # last, for the look at all modules below
    ]
)
# Faust looks for the module of a frame, in the files of all modules: here once, instead of in each process.
inspect.getmodule(sys._getframe())
_STREAMS: Final = (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY))


class Forked:
    """A process of the product; like :class:`subprocess.Popen`, as far as the tests need it."""

    def __init__(self, process: ForkServerProcess) -> None:
        assert process.pid is not None
        self._process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        """Exit code, negative for a signal; ``None`` while the process runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code.

        :raises subprocess.TimeoutExpired: the process runs on.
        """
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("interactions", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the process to end (SIGTERM)."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process (SIGKILL)."""
        self.send_signal(signal.SIGKILL)


def start(arguments: Sequence[str], environment: Mapping[str, str], *, output: Path) -> Forked:
    """Start ``interactions`` with the given arguments, and nothing to read.

    :param output: file for standard output and standard error.
    """
    return _start(arguments, environment, (Path(os.devnull), output, output))


def run(
    arguments: Sequence[str], environment: Mapping[str, str], *, stdin: str = "", timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run ``interactions`` with the given arguments to its end.

    :raises subprocess.TimeoutExpired: it ran for too long, and was killed.
    """
    with tempfile.TemporaryDirectory(prefix="interactions-cli-") as folder:
        files = given, out, error = tuple(Path(folder) / name for name, _ in _STREAMS)
        given.write_text(stdin)
        process = _start(arguments, environment, files)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(list(arguments), code, out.read_text(), error.read_text())


def _start(arguments: Sequence[str], environment: Mapping[str, str], files: Sequence[Path]) -> Forked:
    # A daemon: killed if this process ends before it.
    process = _CONTEXT.Process(target=_main, args=(arguments, dict(environment), files), daemon=True)
    process.start()
    return Forked(process)


def _main(arguments: Sequence[str], environment: Mapping[str, str], files: Sequence[Path]) -> None:
    # The modules stay to the end, and a look at them would copy their memory.
    gc.freeze()
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, (file, (name, mode)) in enumerate(zip(files, _STREAMS, strict=True)):
        opened = os.open(file, mode | (os.O_CREAT | os.O_APPEND if mode == os.O_WRONLY else 0), 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
        setattr(sys, name, open(descriptor, "w" if descriptor else "r", closefd=False))  # noqa: SIM115
    sys.argv = [str(cli.__file__), *arguments]
    cli.main()
